//! Bounds the pages of a PDF by the names anywhere in it, in whatever way these are written.

use super::cursor::Cursor;

/// What the names of a file have told so far.
#[derive(Default)]
struct Found {
    /// The objects in lists of `/Kids`.
    kids: Vec<u64>,
    /// The highest `/Count`: some readers believe it.
    count: u64,
    /// How often `/Page` stands there: readers count these when the tree is broken.
    pages: u64,
}

/// The bound, unless something stands there that hides objects or lets readers differ.
///
/// All of the file is looked through, streams too: what is found there by chance makes the bound higher.
pub(super) fn bound(file: &[u8]) -> Option<u64> {
    let mut found = Found::default();
    for slash in memchr::memchr_iter(b'/', file) {
        let mut cursor = Cursor::at(file, slash.checked_add(1)?)?;
        match cursor.name().as_slice() {
            b"ObjStm" | b"XRef" | b"XRefStm" | b"Encrypt" | b"XFA" | b"Collection" => return None,
            b"Kids" => kids(cursor, &mut found.kids)?,
            b"Count" => found.count = found.count.max(count(cursor)?),
            b"Page" => found.pages = found.pages.saturating_add(1),
            _ => {}
        }
    }
    let listed = found.kids.len();
    found.kids.sort_unstable();
    found.kids.dedup();
    // A node that is listed twice is walked twice, and so is all below it.
    (found.kids.len() == listed).then_some(())?;
    Some(u64::try_from(listed).ok()?.max(found.count).max(found.pages).max(1))
}

/// Reads a list of references: no other form of `/Kids` can be counted.
fn kids(mut cursor: Cursor<'_>, kids: &mut Vec<u64>) -> Option<()> {
    cursor.space();
    cursor.word(b"[")?;
    loop {
        cursor.space();
        if cursor.word(b"]").is_some() {
            return Some(());
        }
        kids.push(cursor.numbered(b"R")?);
    }
}

/// Reads a whole number; its sign tells only whether an outline is open.
fn count(mut cursor: Cursor<'_>) -> Option<u64> {
    cursor.space();
    let _ = cursor.word(b"-");
    let count = cursor.digits()?;
    let apart = cursor.space();
    match cursor.peek()? {
        b'/' | b'>' => Some(count),
        // A second number would make it a reference.
        byte if apart && !byte.is_ascii_digit() && byte != b'%' => Some(count),
        _ => None,
    }
}
