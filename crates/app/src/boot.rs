//! Which start of the machine this is: what was written before it may not have reached the disk.

use louver_domain::entropy::Entropy;

/// Where Linux tells it: a UUID, drawn at each start.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The start's id. Where the system tells none it is random: then nothing that an earlier process left is believed.
pub fn id(entropy: &dyn Entropy) -> [u8; 16] {
    let told = std::fs::read_to_string(BOOT_ID).ok();
    told.and_then(|text| uuid::Uuid::try_parse(text.trim()).ok()).map_or_else(
        || {
            let mut random = [0; 16];
            entropy.fill(&mut random);
            random
        },
        uuid::Uuid::into_bytes,
    )
}
