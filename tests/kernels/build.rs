//! Links these kernels as the real one: see `kernel/build.rs`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        println!("cargo::rustc-link-arg-bins=--image-base=0xffffffff80000000");
        println!("cargo::rustc-link-arg-bins=-zseparate-loadable-segments");
    }
}
