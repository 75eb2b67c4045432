//! The form that a document is put into a library with: a file, and nothing beside it.

use super::{Fields, Findings};
use crate::multipart::Form;
use crate::request::RequestError;

/// The fields of an upload.
pub static DOCUMENT_UPLOAD: Form = Form { scalars: &[], lists: &[], files: &["file"] };

/// Reads the fields.
///
/// # Errors
/// [`RequestError::Shape`].
pub fn document(fields: &Fields, file: bool) -> Result<(), RequestError> {
    let mut findings = Findings::default();
    findings.judge(file, "file", "missing", "Field required");
    for (name, _) in fields {
        findings.refuse(name, "extra_forbidden", "Extra inputs are not permitted");
    }
    findings.done()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_a_file() {
        assert_eq!(document(&Fields::new(), true), Ok(()));
        assert!(document(&Fields::new(), false).is_err());
        assert!(document(&vec![("purpose", "ocr".to_owned())], true).is_err());
    }
}
