//! Whether a PDF is one plain table of objects, so that every reader finds the same ones in it.

use memchr::memmem;

use super::cursor::{Cursor, is_space};

/// `None` unless the file is a header, objects, one table that names each of them where it stands, and a
/// trailer.
///
/// Then it makes no difference whether a reader follows the table or looks for the objects itself.
pub(super) fn check(file: &[u8]) -> Option<()> {
    // The end of a ZIP archive: as such, the file could be a document of another kind.
    if !file.starts_with(b"%PDF-1.") || memmem::find(file, b"PK\x05\x06").is_some() {
        return None;
    }
    let start = only(file, b"startxref")?;
    let trailer = only(file, b"trailer")?;
    let table = end(file, start)?;
    let named = entries(file, table, trailer)?;
    no_older_table(file.get(trailer..start)?)?;
    (headers(file)? == named).then_some(())
}

/// Where `word` stands, when it does once.
fn only(file: &[u8], word: &[u8]) -> Option<usize> {
    let mut places = memmem::find_iter(file, word);
    places.next().filter(|_| places.next().is_none())
}

/// Reads the end of the file, from `startxref` at `start`: where the table is.
fn end(file: &[u8], start: usize) -> Option<usize> {
    let mut cursor = Cursor::at(file, start)?;
    cursor.word(b"startxref")?;
    cursor.space().then_some(())?;
    let table = cursor.digits()?;
    cursor.space().then_some(())?;
    cursor.word(b"%%EOF")?;
    cursor.space();
    cursor.is_empty().then_some(())?;
    usize::try_from(table).ok()
}

/// Goes through the table, which must reach up to the trailer, and to each object it names: how many these
/// are.
fn entries(file: &[u8], table: usize, trailer: usize) -> Option<u64> {
    let mut cursor = Cursor::at(file.get(..trailer)?, table)?;
    cursor.word(b"xref")?;
    cursor.space().then_some(())?;
    (cursor.digits()? == 0).then_some(())?;
    cursor.space().then_some(())?;
    let count = cursor.digits()?;
    cursor.space().then_some(())?;
    let (mut named, mut seen) = (0_u64, 0_usize);
    for number in 0..count {
        let mut entry = Cursor::at(cursor.take(20)?, 0)?;
        let offset = Cursor::at(entry.take(10)?, 0).and_then(|mut field| field.digits())?;
        entry.word(b" ")?;
        Cursor::at(entry.take(5)?, 0).and_then(|mut field| field.digits())?;
        match entry.rest() {
            b" f \n" | b" f\r\n" | b" f \r" => {}
            b" n \n" | b" n\r\n" | b" n \r" => {
                seen = seen.saturating_add(object(file, usize::try_from(offset).ok()?, number)?);
                // Objects inside each other: readers differ, and reading each would take quadratic time.
                (seen <= file.len()).then_some(())?;
                named = named.saturating_add(1);
            }
            _ => return None,
        }
    }
    cursor.space();
    cursor.is_empty().then_some(named)
}

/// Checks that the object `number` stands at `place`, whole and on its own: its length without a stream.
fn object(file: &[u8], place: usize, number: u64) -> Option<usize> {
    let mut cursor = Cursor::at(file, place)?;
    (cursor.numbered(b"obj")? == number).then_some(())?;
    cursor.value()?;
    cursor.space();
    // `7 0 R` in place of a value would make this object a second name of another: its first number has no
    // end here.
    cursor.word(b"endobj").or_else(|| cursor.word(b"stream"))?;
    file.len().checked_sub(place)?.checked_sub(cursor.rest().len())
}

/// How many objects begin anywhere in the file, in streams and strings too.
fn headers(file: &[u8]) -> Option<u64> {
    let begins = |place: &usize| begins_object(file.get(..*place).unwrap_or_default());
    u64::try_from(memmem::find_iter(file, b"obj").filter(begins).count()).ok()
}

/// Whether `before` ends in two numbers, as what stands before `obj` at the start of an object.
fn begins_object(before: &[u8]) -> bool {
    let (before, _) = without_end(before, is_space);
    let (before, generation) = without_end(before, |byte| byte.is_ascii_digit());
    let (before, gap) = without_end(before, is_space);
    let (_, number) = without_end(before, |byte| byte.is_ascii_digit());
    generation > 0 && gap > 0 && number > 0
}

/// Takes off the end what belongs to it: what is left, and how much was taken.
fn without_end(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> (&[u8], usize) {
    let left = bytes.iter().rposition(|byte| !belongs(*byte)).map_or(0, |at| at.saturating_add(1));
    (bytes.get(..left).unwrap_or_default(), bytes.len().saturating_sub(left))
}

/// A trailer may name an older table, or one in another form.
fn no_older_table(trailer: &[u8]) -> Option<()> {
    for slash in memchr::memchr_iter(b'/', trailer) {
        let name = Cursor::at(trailer, slash.checked_add(1)?)?.name();
        (name != b"Prev").then_some(())?;
    }
    Some(())
}
