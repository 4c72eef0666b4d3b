fn main() {
    let root = flatmk_tools::workspace::root();
    println!("{:?}", flatmk_tools::listings::check(root));
}
