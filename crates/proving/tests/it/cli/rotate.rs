//! Rotation of many keys, as far as it can be seen without a key that rotates.

use super::Shell;

#[tokio::test]
async fn new_secrets_of_several_keys_must_go_somewhere() {
    let shell = Shell::start().await;
    let told = shell.run(&["keys", "rotate", "--all"]).await.badly(2);
    assert!(told.contains("--secrets-dir DIR") && told.contains("--managed"), "{told}");
    let told = shell.run(&["keys", "rotate"]).await.badly(2);
    assert!(told.contains("<NAME|ID>"), "{told}");
}
