//! Answers requests to read documents: simulated pages, billed by their number.

use serde_json::{Map, Value, json};

use crate::{
    billed::Billed,
    document::{self, Missing},
    lenient::Fields,
    refusal,
    reply::Reply,
    request::{MOST, finished, hash_value},
    route::Endpoint,
    sample,
    usage::{Reports, signed},
    work::{Work, valid},
};

/// The model of a request that names none.
pub(crate) const DEFAULT: &str = "mistral-ocr-latest";
/// No page of the simulator has more tokens.
const LONG: u64 = 60;
const KNOWN: &[&str] = &[
    "model",
    "id",
    "document",
    "pages",
    "include_image_base64",
    "image_limit",
    "image_min_size",
    "bbox_annotation_format",
    "document_annotation_format",
    "document_annotation_prompt",
    "table_format",
    "extract_header",
    "extract_footer",
    "include_blocks",
    "confidence_scores_granularity",
];

/// Answers a request.
pub(crate) fn reply(body: &Map<String, Value>, work: &Work<'_>) -> Result<Reply, Reply> {
    let mut fields = Fields::of(body, &["body"], KNOWN);
    let model = fields.get("model").map_or(Some(DEFAULT), |_| fields.string("model")).unwrap_or_default();
    let named = fields.required("document").unwrap_or(&Value::Null);
    let found = named.as_object().map_or(Err(Missing::Unnamed), document::named);
    if matches!(found, Err(Missing::Unnamed)) && body.contains_key("document") {
        let msg = "Input is no file_id, document_url or image_url";
        fields.complain("document", "union_tag_invalid", msg, named.clone());
    }
    let wanted = fields.get("pages").unwrap_or(&Value::Null);
    let pages = document::selected(wanted, found.as_ref().map_or(0, |document| document.pages));
    if pages.is_none() {
        fields.complain("pages", "int_type", "Input should be a valid integer", wanted.clone());
    }
    let _ = (fields.flag("include_image_base64"), fields.count("image_limit", 0, MOST));
    let bbox = fields.get("bbox_annotation_format");
    let whole = fields.get("document_annotation_format");
    let pages = valid(finished(fields, pages.unwrap_or_default()))?;
    work.model(model, Endpoint::Ocr)?;
    let document = found.map_err(|_| refusal::unfetchable())?;
    let read: Vec<Value> =
        pages.iter().map(|page| page_of(*page, hash_value(11, named), bbox, work)).collect();
    let mut answer = Map::from_iter([
        ("model".to_owned(), json!(model)),
        ("pages".to_owned(), json!(read)),
        ("document_annotation".to_owned(), Value::Null),
    ]);
    if let Some(format) = whole {
        answer.insert("document_annotation".to_owned(), json!(annotation(format)));
    }
    let count = pages.len() as u64;
    let (annotated_pages, pages) = if bbox.is_some() || whole.is_some() { (count, 0) } else { (0, count) };
    let info = |pages: i64| json!({"pages_processed": pages, "doc_size_bytes": document.bytes});
    let (truth, half) = (info(signed(count)), info(signed(count / 2)));
    let usages = Reports::new(work.plan, truth, half, |[pages, ..]| info(pages));
    let billed = Billed { pages, annotated_pages, ..Billed::default() };
    Ok(Reply::reporting(&answer, "usage_info", &usages).bill(billed))
}

/// One page, with one image in it.
fn page_of(index: u64, hash: u64, bbox: Option<&Value>, work: &Work<'_>) -> Value {
    let mut random = work.random(&[hash, index]);
    let words = random.between(1, LONG);
    let name = format!("img-{index}.jpeg");
    let markdown = format!("# Page {index}\n\n{}\n\n![{name}]({name})", random.prose(words));
    let image = json!({"id": name, "top_left_x": 10, "top_left_y": 10, "bottom_right_x": 110,
        "bottom_right_y": 110, "image_base64": null, "image_annotation": bbox.map(annotation)});
    json!({"index": index, "markdown": markdown, "images": [image],
        "dimensions": {"dpi": 200, "width": 1700, "height": 2200}})
}

/// What fits the schema of a format, as JSON text.
fn annotation(format: &Value) -> String {
    let schema = format.get("json_schema").and_then(|named| named.get("schema"));
    schema.map_or(Value::Object(Map::new()), sample::fitting).to_string()
}
