//! Objects that the provider keeps for a workspace: files, batch jobs, agents, conversations, libraries, documents.

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ObjectKind {
    /// A file.
    File,
    /// A batch job.
    BatchJob,
    /// An agent.
    Agent,
    /// A conversation.
    Conversation,
    /// A library of documents.
    Library,
    /// A document of a library.
    Document,
}

impl ObjectKind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::File, Self::BatchJob, Self::Agent, Self::Conversation, Self::Library, Self::Document];

    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::BatchJob => "batch_job",
            Self::Agent => "agent",
            Self::Conversation => "conversation",
            Self::Library => "library",
            Self::Document => "document",
        }
    }

    /// From its stored form.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Where an object is in its life. Only a live one exists for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectState {
    /// Written down before the provider is asked to make it.
    Intended,
    /// The provider made it and named its id.
    Live,
    /// The provider was asked to delete it, or it never came to be.
    Deleted,
}

impl ObjectState {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Live => "live",
            Self::Deleted => "deleted",
        }
    }

    /// From its stored form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Intended, Self::Live, Self::Deleted].into_iter().find(|state| state.as_str() == text)
    }
}
