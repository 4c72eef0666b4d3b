//! Links the kernel at a fixed address in the top 2 GiB, where the kernel code model expects it.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        // The bootloader loads an executable that is not position-independent at its own address.
        println!("cargo::rustc-link-arg=--image-base=0xffffffff80000000");
        // One access right a page: no segment shares a page with another.
        println!("cargo::rustc-link-arg=-zseparate-loadable-segments");
    }
}
