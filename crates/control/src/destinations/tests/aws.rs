//! AWS: version stages that move in their order, writes that are picked up where they broke off, and refusals by name.

use super::*;
use serde_json::json;

/// One secret: its versions in order, each with its content, and the ids that stages are on.
#[derive(Default)]
struct Manager {
    versions: Vec<(String, String)>,
    current: Option<String>,
    pending: Option<String>,
    /// How often somebody else becomes current just before a stage is moved.
    others: usize,
    /// How many moves of a stage never arrive.
    lost: usize,
}

const FOUND: &str = "louver/team/key_01";

fn no(name: &str) -> Says {
    (400, json!({"__type": name, "Message": "canary-message"}))
}

impl Manager {
    fn answer(&mut self, asked: &Asked) -> Says {
        let body = asked.json();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        if asked.header("x-amz-target") == "secretsmanager.CreateSecret" {
            assert_eq!(text("Name"), FOUND);
            if !self.versions.is_empty() {
                return no("ResourceExistsException");
            }
            self.versions.push((text("ClientRequestToken"), text("SecretString")));
            self.current = Some(text("ClientRequestToken"));
            return (200, json!({"VersionId": text("ClientRequestToken")}));
        }
        assert_eq!(text("SecretId"), FOUND);
        match asked.header("x-amz-target").strip_prefix("secretsmanager.").unwrap() {
            "GetSecretValue" => {
                assert_eq!(text("VersionStage"), "AWSCURRENT");
                let found = self.versions.iter().find(|(id, _)| Some(id) == self.current.as_ref());
                found.map_or(no("ResourceNotFoundException"), |(id, content)| {
                    (200, json!({"VersionId": id, "SecretString": content}))
                })
            }
            "PutSecretValue" => {
                let (token, content) = (text("ClientRequestToken"), text("SecretString"));
                assert!((32..=64).contains(&token.len()));
                match self.versions.iter().find(|(id, _)| *id == token) {
                    Some((_, there)) if *there != content => return no("ResourceExistsException"),
                    Some(_) => {}
                    None => self.versions.push((token.clone(), content)),
                }
                match body["VersionStages"][0].as_str() {
                    Some("AWSPENDING") => self.pending = Some(token.clone()),
                    _ => self.current = Some(token.clone()),
                }
                (200, json!({"VersionId": token}))
            }
            "UpdateSecretVersionStage" => {
                if self.lost > 0 {
                    self.lost -= 1;
                    return (500, json!({"__type": "InternalServiceError"}));
                }
                if self.others > 0 {
                    self.others -= 1;
                    let id = format!("theirs-{}", self.versions.len());
                    self.versions.push((id.clone(), json!({"theirs": id, "api_key": "x"}).to_string()));
                    self.current = Some(id);
                }
                if Some(text("RemoveFromVersionId")) != self.current {
                    return no("InvalidParameterException");
                }
                assert_eq!(
                    (text("VersionStage"), Some(text("MoveToVersionId"))),
                    ("AWSCURRENT".into(), self.pending.clone())
                );
                self.current = self.pending.clone();
                (200, json!({}))
            }
            other => panic!("{other}"),
        }
    }

    fn content(&self) -> &str {
        let found = self.versions.iter().find(|(id, _)| Some(id) == self.current.as_ref());
        &found.unwrap().1
    }
}

async fn served(manager: Manager) -> (Fake, Arc<Mutex<Manager>>) {
    let manager = Arc::new(Mutex::new(manager));
    let inner = Arc::clone(&manager);
    (Fake::start(move |asked| inner.lock().unwrap().answer(asked)).await, manager)
}

fn with_one(content: &str) -> Manager {
    let one = ("v0".to_owned(), content.to_owned());
    Manager { versions: vec![one], current: Some("v0".into()), ..Manager::default() }
}

fn to(control: &Control, fake: &Fake, field: Option<&str>) -> SecretDestination {
    let mut settings = json!({"kind": "aws", "region": "eu-west-1", "location": "louver/{workspace}/{id}", "endpoint": fake.url});
    if let Some(field) = field {
        settings["field"] = field.into();
    }
    let keys = [
        ("access_key_id", "AKID"),
        ("secret_access_key", "canary-secret"),
        ("session_token", "canary-session"),
    ];
    destination(control, settings, &keys)
}

#[tokio::test]
async fn a_secret_is_made_and_then_moved_from_version_to_version() {
    let (_folder, control) = control().await;
    let (fake, manager) = served(Manager::default()).await;
    let to = to(&control, &fake, None);
    assert_eq!(get(&control, &to).await, Ok(None));
    let first = put(&control, &to).await.unwrap();
    assert_eq!(put(&control, &to).await.unwrap(), first, "written already");
    manager.lock().unwrap().versions.push(("theirs".into(), "old".into()));
    manager.lock().unwrap().current = Some("theirs".into());
    assert_eq!(
        put(&control, &to).await.unwrap(),
        first,
        "the same secret of the same rotation is the same version"
    );
    assert_eq!(get(&control, &to).await, Ok(Some(SECRET.into())));
    assert_eq!(manager.lock().unwrap().versions.len(), 2);
    for asked in fake.asked() {
        let signed = asked.header("authorization");
        let start = "AWS4-HMAC-SHA256 Credential=AKID/20261121/eu-west-1/secretsmanager/aws4_request, \
                     SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature=";
        assert!(signed.starts_with(start), "{signed}");
        assert_eq!(asked.header("x-amz-date"), "20261121T120000Z");
        assert_eq!(asked.header("x-amz-security-token"), "canary-session");
        assert_eq!(asked.header("content-type"), "application/x-amz-json-1.1");
    }
}

#[tokio::test]
async fn a_write_that_broke_off_is_picked_up_where_it_was() {
    let (_folder, control) = control().await;
    let (fake, manager) = served(Manager { lost: 1, ..with_one("old") }).await;
    let to = to(&control, &fake, None);
    let broken = put(&control, &to).await.unwrap_err();
    assert!(broken.is_retryable(), "{broken:?}");
    assert_eq!(get(&control, &to).await, Ok(Some("old".into())), "nobody reads what is pending");
    put(&control, &to).await.unwrap();
    let manager = manager.lock().unwrap();
    assert_eq!((manager.content(), manager.versions.len()), (SECRET, 2));
}

#[tokio::test]
async fn members_of_others_stay_also_when_they_change_at_the_same_time() {
    let (_folder, control) = control().await;
    let (fake, manager) =
        served(Manager { others: 1, ..with_one(r#"{"theirs": "v0", "api_key": "x"}"#) }).await;
    let to = to(&control, &fake, Some("api_key"));
    put(&control, &to).await.unwrap();
    let content: Value = serde_json::from_str(manager.lock().unwrap().content()).unwrap();
    assert_eq!(content, json!({"theirs": "theirs-2", "api_key": SECRET}));
    let (fake, _) = served(Manager { others: 99, ..with_one("{}") }).await;
    let to = self::to(&control, &fake, Some("api_key"));
    assert_eq!(put(&control, &to).await, Err(DestinationError::Contended));
    let (fake, _) = served(with_one("no object")).await;
    let to = self::to(&control, &fake, Some("api_key"));
    assert!(matches!(put(&control, &to).await, Err(DestinationError::Refused(_))));
}

#[tokio::test]
async fn refusals_are_told_by_their_name_and_not_in_its_words() {
    let (_folder, control) = control().await;
    for (name, wanted, again) in [
        ("AccessDeniedException", DestinationError::Answered(403), false),
        ("com.amazonaws.secretsmanager#ThrottlingException", DestinationError::Answered(429), true),
        ("SomethingElse", DestinationError::Answered(400), false),
    ] {
        let fake = Fake::start(move |_| no(name)).await;
        let refused = put(&control, &to(&control, &fake, None)).await.unwrap_err();
        assert!(!refused.sentence().contains("canary"));
        assert_eq!((refused.is_retryable(), refused), (again, wanted), "{name}");
    }
}
