//! What the lines of a batch could use, summed up by all that makes another price or another rule.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::BatchError;
use super::line::ENDPOINTS;
use crate::endpoints::Endpoint;
use crate::request::{Reference, ReferenceKind, Request};

/// Kinds of requests that are kept apart at most.
const MOST_CLASSES: usize = 512;
/// Objects that are kept in mind at most.
const MOST_NAMED: usize = 1000;

/// What is known of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Requests.
    pub lines: u64,
    /// Bytes of the file, as it came; 0 where the requests came with the job.
    pub bytes: u64,
    /// What they are of. A line that can be for several endpoints stands in a class of each.
    pub classes: Vec<Class>,
    /// Objects that they name.
    pub named: Vec<Named>,
    /// Hosts of the addresses that they name, in small letters.
    pub hosts: Vec<String>,
}

/// Requests that the same rules and prices hold for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// The endpoint that they can be for.
    #[serde(serialize_with = "write_endpoint", deserialize_with = "read_endpoint")]
    pub endpoint: Endpoint,
    /// The pinned id of their model; `None` is the job's.
    pub model: Option<String>,
    /// Whether they leave the length of the answer open.
    pub open: bool,
    /// Whether they ask for the priority tier.
    pub priority: bool,
    /// Types of the tools that upstream would run.
    pub tools: Vec<String>,
    /// Models that their guardrails name, each as often as it is asked.
    pub nested_models: Vec<String>,
    /// Whether they bring documents or sound, which can have as many tokens as the model's context holds.
    pub fills_context: bool,
    /// Whether the pages of their documents are annotated.
    pub annotated: bool,
    /// Whether each is about a document whose pages nobody can count from here.
    pub unseen: bool,
    /// All of them together.
    pub sums: Sums,
    /// The most of any one of them.
    pub peaks: Peaks,
}

/// What requests could use together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// Requests.
    pub lines: u64,
    /// Tokens of input at most.
    pub input: u64,
    /// Tokens of output at most, where the length is not left open.
    pub output: u64,
    /// Choices.
    pub choices: u64,
    /// Pages, of documents that are seen.
    pub pages: u64,
    /// Seconds of audio.
    pub audio_seconds: u64,
    /// Characters.
    pub characters: u64,
}

/// What one request could use at most; the numbers may be of different ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peaks {
    /// Tokens of input at most.
    pub input: u64,
    /// Estimated tokens of input.
    pub estimated: u64,
    /// `max_tokens`, where it is not left open.
    pub max_tokens: u64,
    /// Choices.
    pub choices: u64,
    /// Pages, of documents that are seen.
    pub pages: u64,
    /// Seconds of audio.
    pub audio_seconds: u64,
    /// Characters.
    pub characters: u64,
}

/// An object that lines name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// What it is: `file`, `library`, `agent`, `conversation`, or empty where no workspace owns such things.
    pub kind: String,
    /// Its id.
    pub id: String,
}

impl Summary {
    /// Adds a line, by what it says to each endpoint that it can be for.
    pub(super) fn add(&mut self, requests: &[Request], model: Option<&str>) -> Result<(), BatchError> {
        self.lines = self.lines.saturating_add(1);
        for request in requests {
            self.class(request, model)?.add(request);
        }
        let named = requests.iter().flat_map(|request| &request.references).map(Named::of);
        named.into_iter().try_for_each(|named| note(&mut self.named, named))?;
        let mut hosts = requests.iter().flat_map(|request| &request.hosts);
        hosts.try_for_each(|host| note(&mut self.hosts, host.clone()))
    }

    /// The classes of the lines as requests to an endpoint; `None` when some line cannot be one.
    pub fn of(&self, endpoint: Endpoint) -> Option<Vec<&Class>> {
        let classes: Vec<&Class> = self.classes.iter().filter(|class| class.endpoint == endpoint).collect();
        let lines = classes.iter().map(|class| class.sums.lines).fold(0, u64::saturating_add);
        (lines == self.lines).then_some(classes)
    }

    fn class(&mut self, request: &Request, model: Option<&str>) -> Result<&mut Class, BatchError> {
        let wanted = Class::of(request, model);
        let place = match self.classes.iter().position(|class| class.is_alike(&wanted)) {
            Some(place) => place,
            None if self.classes.len() >= MOST_CLASSES => return Err(BatchError::TooVaried),
            None => {
                self.classes.push(wanted);
                self.classes.len().saturating_sub(1)
            }
        };
        self.classes.get_mut(place).ok_or(BatchError::TooVaried)
    }
}

impl Class {
    fn of(request: &Request, model: Option<&str>) -> Self {
        let sorted = |names: &[String]| {
            let mut names = names.to_vec();
            names.sort_unstable();
            names
        };
        let mut tools = sorted(&request.provider_tools);
        tools.dedup();
        Self {
            endpoint: request.endpoint,
            model: model.map(str::to_owned),
            open: request.max_tokens.is_none(),
            priority: request.priority_tier,
            tools,
            nested_models: sorted(&request.nested_models),
            fills_context: request.fills_context,
            annotated: request.document.is_some_and(|document| document.annotated),
            unseen: request.document.is_some_and(|it| it.pages.is_none() && it.named.is_none()),
            sums: Sums::default(),
            peaks: Peaks::default(),
        }
    }

    fn is_alike(&self, other: &Self) -> bool {
        self.endpoint == other.endpoint
            && self.model == other.model
            && (self.open, self.priority) == (other.open, other.priority)
            && self.tools == other.tools
            && self.nested_models == other.nested_models
            && self.fills_context == other.fills_context
            && (self.annotated, self.unseen) == (other.annotated, other.unseen)
    }

    fn add(&mut self, request: &Request) {
        let (sums, peaks, quantities) = (&mut self.sums, &mut self.peaks, request.quantities_at_most(0));
        let pages = quantities.pages.saturating_add(quantities.annotated_pages);
        let max_tokens = request.max_tokens.unwrap_or(0);
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        let input = request.input_token_bound();
        add(&mut sums.lines, 1);
        add(&mut sums.input, input);
        add(&mut sums.output, max_tokens.saturating_mul(request.n));
        add(&mut sums.choices, request.n);
        add(&mut sums.pages, pages);
        add(&mut sums.audio_seconds, quantities.audio_seconds);
        add(&mut sums.characters, quantities.characters);
        let raise = |peak: &mut u64, to: u64| *peak = (*peak).max(to);
        raise(&mut peaks.input, input);
        raise(&mut peaks.estimated, request.estimated_input_tokens());
        raise(&mut peaks.max_tokens, max_tokens);
        raise(&mut peaks.choices, request.n);
        raise(&mut peaks.pages, pages);
        raise(&mut peaks.audio_seconds, quantities.audio_seconds);
        raise(&mut peaks.characters, quantities.characters);
    }
}

/// Keeps something in mind, once.
fn note<T: PartialEq>(list: &mut Vec<T>, item: T) -> Result<(), BatchError> {
    if list.contains(&item) {
        return Ok(());
    }
    if list.len() >= MOST_NAMED {
        return Err(BatchError::TooVaried);
    }
    list.push(item);
    Ok(())
}

impl Named {
    fn of(reference: &Reference) -> Self {
        let kind = match reference.kind {
            ReferenceKind::File => "file",
            ReferenceKind::Library => "library",
            ReferenceKind::Agent => "agent",
            ReferenceKind::Conversation => "conversation",
            ReferenceKind::Unowned => "",
        };
        Self { kind: kind.to_owned(), id: reference.id.clone() }
    }
}

fn write_endpoint<S: Serializer>(endpoint: &Endpoint, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(endpoint.path())
}

fn read_endpoint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Endpoint, D::Error> {
    let path = String::deserialize(deserializer)?;
    let found = ENDPOINTS.into_iter().find(|endpoint| endpoint.path() == path);
    found.ok_or_else(|| serde::de::Error::custom("no endpoint of batches"))
}
