//! Pages of PDFs: bounded where a file is plain, unknown where readers could differ, never too few.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use louver_mistral::pdf::page_bound;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write;

const HEADER: &str = "%PDF-1.4\n%\u{e9}\u{e9}\n";
const CATALOG: &str = "<< /Type /Catalog /Pages 2 0 R >>";
const ROOT: &str = "<< /Type /Pages /Kids [3 0 R 4 0 R] /Count 2 >>";
const PAGE: &str = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>";

/// A file of these objects, numbered from 1, with its table.
fn file(objects: &[&str]) -> Vec<u8> {
    with_trailer(objects, "<< /Size 9 /Root 1 0 R /ID [<00ff> (a\\)b)] >>")
}

fn with_trailer(objects: &[&str], trailer: &str) -> Vec<u8> {
    let mut body = HEADER.to_owned();
    let mut places = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        places.push(body.len());
        write!(body, "{} 0 obj\n{object}\nendobj\n", index + 1).unwrap();
    }
    assemble(&body, &places, trailer)
}

/// A file of a body and the places of the objects in it.
fn assemble(body: &str, places: &[usize], trailer: &str) -> Vec<u8> {
    let mut table = "0000000000 65535 f \n".to_owned();
    for place in places {
        writeln!(table, "{place:010} 00000 n ").unwrap();
    }
    let (start, count) = (body.len(), places.len() + 1);
    format!("{body}xref\n0 {count}\n{table}trailer\n{trailer}\nstartxref\n{start}\n%%EOF\n").into_bytes()
}

fn bound(objects: &[&str]) -> Option<u64> {
    page_bound(&file(objects))
}

#[test]
fn plain_files_have_a_bound() {
    assert_eq!(bound(&[CATALOG, ROOT, PAGE, PAGE]), Some(2));
    let stream = "<< /Length 5 0 R >> stream\n/Type /Font (\nendstream";
    assert_eq!(bound(&[CATALOG, ROOT, PAGE, stream, "42"]), Some(2));
    assert_eq!(bound(&[CATALOG, ROOT, PAGE, PAGE, "[(\\)) (a(b)\\\\) <0f 0> null true -1.5]"]), Some(2));
    // A page alone, one without a type, and nodes inside nodes: each node counts.
    assert_eq!(bound(&[CATALOG, PAGE]), Some(1));
    assert_eq!(bound(&[CATALOG, ROOT, "<< >>", "<</MediaBox[0 0 9 9]>>"]), Some(2));
    let inner = "<</Type/Pages/Kids[5 0 R]/Count 1>>";
    assert_eq!(bound(&[CATALOG, ROOT, PAGE, inner, PAGE]), Some(3));
    // What is written in another way, in strings or in streams counts too.
    assert_eq!(bound(&[CATALOG, "<< /K#69ds [ 3 0 R\n4\t0 R ] >>", PAGE, PAGE]), Some(2));
    assert_eq!(bound(&[CATALOG, ROOT, PAGE, PAGE, "(/Kids [9 0 R 8 0 R])"]), Some(4));
    assert_eq!(bound(&[CATALOG, ROOT, PAGE, "<< >> stream\n/Page /Page /Page\nendstream"]), Some(4));
    // Readers that believe the number.
    assert_eq!(bound(&[CATALOG, "<< /Kids [3 0 R] /Count 1000 >>", PAGE]), Some(1_000));
    assert_eq!(bound(&[CATALOG, ROOT, PAGE, PAGE, "<< /Type /Outlines /Count -7 >>"]), Some(7));
}

#[test]
fn what_hides_or_repeats_pages_has_no_bound() {
    for odd in [
        "<< /Type /ObjStm /N 1 /First 4 >> stream\nx\nendstream",
        "<< /Type /Obj#53tm >> stream\nx\nendstream",
        "<< /Type /XRef /W [1 2 1] >> stream\nx\nendstream",
        "<< /XRefStm 7 >>",
        "<< /Encrypt 5 0 R >>",
        "<< /XFA 5 0 R >>",
        "<< /Collection << >> >>",
        "<< /Kids 6 0 R >>",
        "<< /Kids [3 0 R] >>",
        "<< /Kids [03 1 R] >>",
        "<< /Kids [7 0 R 7 0 R] >>",
        "<< /Kids [7 0 R % 8 0 R\n] >>",
        "<< /Kids % x\n [7 0 R] >>",
        "<< /Kids [<< /Type /Page >>] >>",
        "<< /Kids [7 0 R null] >>",
        "<< /Kids [7 0 R",
        "<< /Kids\u{80}[7 0 R] >>",
        "<< /Kids [99999999999999999999999 0 R] >>",
        "<< /Count 6 0 R >>",
        "<< /Count 99999999999999999999999 >>",
        "<< /Count 5.5 >>",
        "<< /Count +5 >>",
        "<< /Count (5) >>",
        "<< /Count % 1\n5 >>",
        // Objects that are another's second name, or not whole.
        "3 0 R",
        "% x\n3 0 R",
        "7 0 R endobj",
        "<< /A 1",
        "<< /A [1 >> ]",
        "<< /A (x >>",
        "(x\\)",
        "<< /A 1 >> 3 0 R",
        "<< /A 7 0 obj << /Kids [8 0 R] >> >>",
        "<< /A /B % c\n >>",
        "<< /A foo >>",
        "",
        // A second object of a number, wherever it stands.
        "<< >> endobj\n3 0 obj\n<< /Kids [8 0 R] >>",
        "<< >> stream\n3 0 obj << >> endobj\nendstream",
        "(3 0 obj)",
        // Words of which there is one.
        "(trailer)",
        "(startxref)",
        "(PK\u{5}\u{6})",
    ] {
        assert_eq!(bound(&[CATALOG, ROOT, PAGE, PAGE, odd]), None, "{odd}");
    }
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    assert_eq!(bound(&[CATALOG, ROOT, PAGE, PAGE, &deep]), None);
    assert_eq!(bound(&[CATALOG, ROOT, PAGE, PAGE, &deep[1..129]]), Some(2));
}

/// Each is a whole object in the string of the one before: as many as these would take hours to read.
#[test]
fn objects_inside_each_other_have_no_bound() {
    const COUNT: usize = 50_000;
    let mut body = HEADER.to_owned();
    let mut places = Vec::new();
    for number in 1..=COUNT {
        places.push(body.len());
        write!(body, "{number} 0 obj (").unwrap();
    }
    body.push_str(&")endobj ".repeat(COUNT));
    assert_eq!(page_bound(&assemble(&body, &places, "<< /Root 1 0 R >>")), None);
}

#[test]
fn files_of_another_layout_have_no_bound() {
    let objects = [CATALOG, ROOT, PAGE, PAGE];
    let sound = String::from_utf8(file(&objects)).unwrap();
    assert_eq!(page_bound(sound.as_bytes()), Some(2));
    for trailer in
        ["<< /Root 1 0 R /Prev 9 >>", "<< /Pr#65v 9 >>", "<< /Encrypt 1 0 R >>", "<< /XRefStm 9 >>"]
    {
        assert_eq!(page_bound(&with_trailer(&objects, trailer)), None, "{trailer}");
    }
    for (from, to) in [
        ("%PDF-1.4", "%PDF-2.0"),
        ("%PDF-1.4", "GIF89a.4"),
        ("%%EOF\n", "%%EOF\nx"),
        ("%%EOF\n", ""),
        ("xref\n0 5", "xref\n1 5"),
        ("xref\n0 5", "xref\n0 4"),
        ("xref\n0 5", "xref\n0 6"),
        ("3 0 obj", "4 0 obj"),
        ("3 0 obj", "3 0 obx"),
        (" 00000 n \ntrailer", " 00000 f \ntrailer"),
        (" 00000 n \ntrailer", " 00000 x \ntrailer"),
        (" 00000 n \ntrailer", " 00000 n\ntrailer"),
        ("trailer\n", "trailer\n%\ntrailer\n"),
        ("startxref\n", "startxref\n1"),
        ("startxref\n", "startxref\nx"),
    ] {
        let odd = sound.replace(from, to);
        assert_ne!(odd, sound, "{from:?}");
        assert_eq!(page_bound(odd.as_bytes()), None, "{from:?} -> {to:?}");
    }
    for end in 0..sound.len() - 1 {
        assert_eq!(page_bound(&sound.as_bytes()[..end]), None);
    }
    let appended = format!("{sound}5 0 obj\n<< >>\nendobj\n{}", &sound[sound.find("xref").unwrap()..]);
    assert_eq!(page_bound(appended.as_bytes()), None);
}

/// Counts pages as a careless reader does: looks for objects, follows references, walks lists again and again.
fn carelessly(file: &[u8]) -> u64 {
    let text: String = file.iter().map(|byte| char::from(*byte)).collect();
    let mut objects: BTreeMap<u64, &str> = BTreeMap::new();
    for (at, _) in text.match_indices(" 0 obj") {
        let digits = text[..at].bytes().rev().take_while(u8::is_ascii_digit).count();
        let body = &text[at + 6..];
        if let Ok(number) = text[at - digits..at].parse() {
            objects.insert(number, &body[..body.find("endobj").unwrap_or(body.len())]);
        }
    }
    let mut budget = 500;
    walk(&objects, 2, &mut budget, 0)
}

fn references(text: &str) -> Vec<u64> {
    let words: Vec<&str> = text.split([' ', '\n']).filter(|word| !word.is_empty()).collect();
    words.windows(3).filter(|words| words[2] == "R").filter_map(|words| words[0].parse().ok()).collect()
}

fn walk(objects: &BTreeMap<u64, &str>, node: u64, budget: &mut u64, depth: u64) -> u64 {
    let Some(body) = objects.get(&node) else { return 0 };
    if *budget == 0 || depth > 20 {
        return 0;
    }
    *budget -= 1;
    if !body.contains("<<") {
        return references(body).iter().map(|kid| walk(objects, *kid, budget, depth + 1)).sum();
    }
    let Some(list) = body.find("/Kids") else { return 1 };
    let list = body[list..].split(']').next().unwrap().replace('[', " ");
    references(&list).iter().map(|kid| walk(objects, *kid, budget, depth + 1)).sum()
}

#[test]
fn the_careless_reader_sees_the_traps() {
    let again = file(&[CATALOG, "<< /Kids [3 0 R 3 0 R 4 0 R] >>", PAGE, "3 0 R"]);
    assert_eq!((carelessly(&again), page_bound(&again)), (3, None));
}

/// Objects of a tree, sound for the most part: few numbers, so that some are listed twice.
fn node() -> impl Strategy<Value = String> {
    let kids = prop::collection::btree_set(3_u64..12, 0..4);
    let list = kids.prop_map(|kids| {
        let list: Vec<String> = kids.iter().map(|kid| format!("{kid} 0 R")).collect();
        format!("<< /Kids [{}] /Count 1 >>", list.join(" "))
    });
    prop_oneof![6 => Just(PAGE.to_owned()), 3 => list, 1 => (3_u64..12).prop_map(|to| format!("{to} 0 R"))]
}

/// A file, and whether it was changed somewhere.
fn any_file() -> impl Strategy<Value = Vec<u8>> {
    let change = prop::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>()));
    (prop::collection::vec(node(), 1..10), change).prop_map(|(nodes, change)| {
        let all: Vec<&str> = std::iter::once(CATALOG).chain(nodes.iter().map(String::as_str)).collect();
        let mut bytes = file(&all);
        if let Some((at, byte)) = change {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn the_bound_is_never_below_what_a_careless_reader_counts(file in any_file()) {
        if let Some(bound) = page_bound(&file) {
            prop_assert!(carelessly(&file) <= bound);
        }
    }

    #[test]
    fn no_bytes_break_the_reader(junk in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = page_bound(&junk);
        let text = String::from_utf8_lossy(&junk);
        let _ = bound(&[CATALOG, ROOT, PAGE, PAGE, &text]);
    }
}

/// The generator must make files that have a bound, or the property above says nothing.
#[test]
fn many_of_the_files_have_a_bound() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let files = (0..1_000).map(|_| any_file().new_tree(&mut runner).unwrap().current());
    let bounded = files.filter(|file| page_bound(file).is_some()).count();
    assert!((200..900).contains(&bounded), "{bounded} of 1000");
}
