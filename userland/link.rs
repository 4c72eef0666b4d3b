//! Build script of all user programs: links them at a fixed address in the lower half, a page a segment at least, so that each
//! page has one kind of access.

fn main() {
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        println!("cargo::rustc-link-arg=--image-base=0x400000");
        println!("cargo::rustc-link-arg=-zseparate-loadable-segments");
        println!("cargo::rustc-link-arg=-znorelro");
    }
}
