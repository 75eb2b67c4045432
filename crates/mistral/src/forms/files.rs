//! The form that a file is uploaded with.

use super::{Fields, Findings, is_whole, value};
use crate::multipart::Form;
use crate::request::RequestError;

/// The fields of an upload.
pub static FILE_UPLOAD: Form =
    Form { scalars: &["purpose", "visibility", "expiry"], lists: &[], files: &["file"] };

/// What files are for.
const PURPOSES: [&str; 4] = ["fine-tune", "batch", "ocr", "audio"];

/// An upload that was understood.
#[derive(Debug, PartialEq, Eq)]
pub struct FileUpload {
    /// As they go upstream.
    pub fields: Fields,
    /// What the file is for, if it was said.
    pub purpose: Option<String>,
}

impl FileUpload {
    /// Reads the fields. The file stays in its workspace: upstream's people are not ours.
    ///
    /// # Errors
    /// [`RequestError::Shape`].
    pub fn read(fields: &Fields, file: bool) -> Result<Self, RequestError> {
        let mut findings = Findings::default();
        findings.judge(file, "file", "missing", "Field required");
        let purpose = value(fields, "purpose");
        let known = purpose.is_none_or(|purpose| PURPOSES.contains(&purpose));
        let msg = "Input should be 'fine-tune', 'batch', 'ocr' or 'audio'";
        findings.judge(known, "purpose", "literal_error", msg);
        let kept = value(fields, "visibility").is_none_or(|visibility| visibility == "workspace");
        findings.judge(kept, "visibility", "literal_error", "Input should be 'workspace'");
        let expiry = value(fields, "expiry");
        findings.judge(
            expiry.is_none_or(is_whole),
            "expiry",
            "int_parsing",
            "Input should be a valid integer",
        );
        findings.done()?;
        let said = [("purpose", purpose), ("visibility", Some("workspace")), ("expiry", expiry)];
        let fields = said.into_iter().filter_map(|(name, value)| Some((name, value?.to_owned()))).collect();
        Ok(Self { fields, purpose: purpose.map(str::to_owned) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[(&'static str, &str)]) -> Result<FileUpload, RequestError> {
        let fields: Fields = fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        FileUpload::read(&fields, true)
    }

    #[test]
    fn a_file_always_stays_in_its_workspace() {
        for fields in [[].as_slice(), &[("visibility", "workspace")]] {
            assert_eq!(read(fields).unwrap().fields, [("visibility", "workspace".to_owned())]);
        }
        let upload = read(&[("expiry", "24"), ("purpose", "batch")]).unwrap();
        let names: Vec<&str> = upload.fields.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            (upload.purpose.as_deref(), names),
            (Some("batch"), vec!["purpose", "visibility", "expiry"])
        );
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for bad in [
            ("visibility", "user"),
            ("visibility", "organization"),
            ("visibility", ""),
            ("purpose", "Batch"),
            ("purpose", ""),
            ("expiry", "-1"),
            ("expiry", "1.0"),
            ("expiry", " 1"),
            ("expiry", "1e3"),
            ("expiry", ""),
        ] {
            let Err(RequestError::Shape(details)) = read(&[bad]) else { panic!("{bad:?}") };
            assert_eq!(details[0].loc, ["body", bad.0]);
        }
        assert!(FileUpload::read(&Fields::new(), false).is_err());
    }
}
