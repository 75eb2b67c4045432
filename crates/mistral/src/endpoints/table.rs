//! The operations of Mistral's inference API: one row each.

use super::Class;

/// What is known of an operation.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The method.
    pub method: &'static str,
    /// The path, the same here and upstream, with `{names}` for ids.
    pub path: &'static str,
    /// How it is handled.
    pub class: Class,
    /// The name used in policies, ledgers and logs: the permission that a key needs. Several operations may share one.
    pub name: &'static str,
    /// Its id in the description of the API.
    pub operation: &'static str,
    /// Its chapter there.
    pub chapter: &'static str,
    /// What it does, in a few words.
    pub summary: &'static str,
}

macro_rules! endpoints {
    ($($variant:ident $method:literal $path:literal $class:ident $name:literal $operation:literal $chapter:literal $summary:literal;)*) => {
        /// One operation of the inference API that the gateway knows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Endpoint {
            $(#[doc = concat!("`", $method, " ", $path, "`: ", $summary, ".")] $variant,)*
        }

        impl Endpoint {
            /// Every endpoint, in a fixed order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// What is known of it.
            pub const fn row(self) -> Row {
                match self {
                    $(Self::$variant => Row {
                        method: $method,
                        path: $path,
                        class: Class::$class,
                        name: $name,
                        operation: $operation,
                        chapter: $chapter,
                        summary: $summary,
                    },)*
                }
            }
        }
    };
}

endpoints! {
    ChatCompletions "POST" "/v1/chat/completions" Call "chat.completions"
        "chat_completion_v1_chat_completions_post" "chat" "Let a model answer a chat";
    FimCompletions "POST" "/v1/fim/completions" Call "fim.completions"
        "fim_completion_v1_fim_completions_post" "fim" "Let a model fill in code";
    Embeddings "POST" "/v1/embeddings" Call "embeddings"
        "embeddings_v1_embeddings_post" "embeddings" "Make vectors of texts";
    ListModels "GET" "/v1/models" Models "models"
        "list_models_v1_models_get" "models" "The models that this key may use";
    GetModel "GET" "/v1/models/{model_id}" Models "models"
        "retrieve_model_v1_models__model_id__get" "models" "One model by any of its names";
    DeleteModel "DELETE" "/v1/models/{model_id}" Object "fine_tuning.models"
        "delete_model_v1_models__model_id__delete" "models" "Delete a fine-tuned model";
    UpdateFineTunedModel "PATCH" "/v1/fine_tuning/models/{model_id}" Object "fine_tuning.models"
        "jobs_api_routes_fine_tuning_update_fine_tuned_model" "models" "Change the name of a fine-tuned model";
    ArchiveFineTunedModel "POST" "/v1/fine_tuning/models/{model_id}/archive" Object "fine_tuning.models"
        "jobs_api_routes_fine_tuning_archive_fine_tuned_model" "models" "Archive a fine-tuned model";
    UnarchiveFineTunedModel "DELETE" "/v1/fine_tuning/models/{model_id}/archive" Object "fine_tuning.models"
        "jobs_api_routes_fine_tuning_unarchive_fine_tuned_model" "models" "Bring a fine-tuned model back";
    Moderations "POST" "/v1/moderations" Call "moderations"
        "moderations_v1_moderations_post" "classifiers" "Judge texts";
    ChatModerations "POST" "/v1/chat/moderations" Call "chat.moderations"
        "chat_moderations_v1_chat_moderations_post" "classifiers" "Judge chats";
    Classifications "POST" "/v1/classifications" Call "classifications"
        "classifications_v1_classifications_post" "classifiers" "Classify texts";
    ChatClassifications "POST" "/v1/chat/classifications" Call "chat.classifications"
        "chat_classifications_v1_chat_classifications_post" "classifiers" "Classify chats";
    Ocr "POST" "/v1/ocr" Call "ocr"
        "ocr_v1_ocr_post" "ocr" "Read a document";
    Speech "POST" "/v1/audio/speech" Call "audio.speech"
        "speech_v1_audio_speech_post" "audio" "Speak a text";
    Transcriptions "POST" "/v1/audio/transcriptions" Upload "audio.transcriptions"
        "audio_api_v1_transcriptions_post" "audio" "Write down what is said";
    RealtimeTranscriptions "GET" "/v1/audio/transcriptions/realtime" Socket "audio.transcriptions.realtime"
        "audio_api_v1_transcriptions_realtime" "audio" "Write down what is being said";
    Responses "POST" "/v1/responses" Call "responses"
        "create_response_v1_responses_post" "responses" "Let a model respond";
    CountResponseTokens "POST" "/v1/responses/input_tokens" Call "responses"
        "count_input_tokens_v1_responses_input_tokens_post" "responses" "Count the tokens of an input";
    AgentsCompletions "POST" "/v1/agents/completions" Call "agents.completions"
        "agents_completion_v1_agents_completions_post" "agents" "Let an agent answer a chat";
    CreateAgent "POST" "/v1/agents" Object "agents"
        "agents_api_v1_agents_create" "agents" "Make an agent";
    ListAgents "GET" "/v1/agents" Object "agents"
        "agents_api_v1_agents_list" "agents" "The agents of the workspace";
    ListAgentPages "GET" "/v1/agents/pages" Object "agents"
        "agents_api_v1_agents_list_pages" "agents" "The agents of the workspace, page after page";
    GetAgent "GET" "/v1/agents/{agent_id}" Object "agents"
        "agents_api_v1_agents_get" "agents" "One agent";
    UpdateAgent "PATCH" "/v1/agents/{agent_id}" Object "agents"
        "agents_api_v1_agents_update" "agents" "Make a new version of an agent";
    DeleteAgent "DELETE" "/v1/agents/{agent_id}" Object "agents"
        "agents_api_v1_agents_delete" "agents" "Delete an agent";
    SwitchAgentVersion "PATCH" "/v1/agents/{agent_id}/version" Object "agents"
        "agents_api_v1_agents_update_version" "agents" "Switch an agent to another version";
    ListAgentVersions "GET" "/v1/agents/{agent_id}/versions" Object "agents"
        "agents_api_v1_agents_list_versions" "agents" "The versions of an agent";
    GetAgentVersion "GET" "/v1/agents/{agent_id}/versions/{version}" Object "agents"
        "agents_api_v1_agents_get_version" "agents" "One version of an agent";
    SetAgentAlias "PUT" "/v1/agents/{agent_id}/aliases" Object "agents"
        "agents_api_v1_agents_create_or_update_alias" "agents" "Give a version of an agent a name";
    ListAgentAliases "GET" "/v1/agents/{agent_id}/aliases" Object "agents"
        "agents_api_v1_agents_list_version_aliases" "agents" "The names of an agent's versions";
    DeleteAgentAlias "DELETE" "/v1/agents/{agent_id}/aliases" Object "agents"
        "agents_api_v1_agents_delete_alias" "agents" "Take a name from a version of an agent";
    StartConversation "POST" "/v1/conversations" Call "conversations"
        "agents_api_v1_conversations_start" "conversations" "Begin a conversation";
    ListConversations "GET" "/v1/conversations" Object "conversations"
        "agents_api_v1_conversations_list" "conversations" "The conversations of the workspace";
    GetConversation "GET" "/v1/conversations/{conversation_id}" Object "conversations"
        "agents_api_v1_conversations_get" "conversations" "One conversation";
    DeleteConversation "DELETE" "/v1/conversations/{conversation_id}" Object "conversations"
        "agents_api_v1_conversations_delete" "conversations" "Delete a conversation";
    AppendConversation "POST" "/v1/conversations/{conversation_id}" Call "conversations"
        "agents_api_v1_conversations_append" "conversations" "Go on with a conversation";
    RestartConversation "POST" "/v1/conversations/{conversation_id}/restart" Call "conversations"
        "agents_api_v1_conversations_restart" "conversations" "Begin again from an entry of a conversation";
    ConversationHistory "GET" "/v1/conversations/{conversation_id}/history" Object "conversations"
        "agents_api_v1_conversations_history" "conversations" "All entries of a conversation";
    ConversationMessages "GET" "/v1/conversations/{conversation_id}/messages" Object "conversations"
        "agents_api_v1_conversations_messages" "conversations" "The messages of a conversation";
    UploadFile "POST" "/v1/files" Upload "files"
        "files_api_routes_upload_file" "files" "Upload a file";
    ListFiles "GET" "/v1/files" Object "files"
        "files_api_routes_list_files" "files" "The files of the workspace";
    GetFile "GET" "/v1/files/{file_id}" Object "files"
        "files_api_routes_retrieve_file" "files" "One file";
    DeleteFile "DELETE" "/v1/files/{file_id}" Object "files"
        "files_api_routes_delete_file" "files" "Delete a file";
    DownloadFile "GET" "/v1/files/{file_id}/content" Object "files"
        "files_api_routes_download_file" "files" "The content of a file";
    SignFileUrl "GET" "/v1/files/{file_id}/url" Object "files"
        "files_api_routes_get_signed_url" "files" "A URL that gives the content of a file without a key";
    CreateBatchJob "POST" "/v1/batch/jobs" Object "batch.jobs"
        "jobs_api_routes_batch_create_batch_job" "batch" "Start a batch";
    ListBatchJobs "GET" "/v1/batch/jobs" Object "batch.jobs"
        "jobs_api_routes_batch_get_batch_jobs" "batch" "The batches of the workspace";
    GetBatchJob "GET" "/v1/batch/jobs/{job_id}" Object "batch.jobs"
        "jobs_api_routes_batch_get_batch_job" "batch" "One batch";
    CancelBatchJob "POST" "/v1/batch/jobs/{job_id}/cancel" Object "batch.jobs"
        "jobs_api_routes_batch_cancel_batch_job" "batch" "Cancel a batch";
    CreateLibrary "POST" "/v1/libraries" Object "libraries"
        "libraries_create_v1" "libraries" "Make a library";
    ListLibraries "GET" "/v1/libraries" Object "libraries"
        "libraries_list_v1" "libraries" "The libraries of the workspace";
    GetLibrary "GET" "/v1/libraries/{library_id}" Object "libraries"
        "libraries_get_v1" "libraries" "One library";
    UpdateLibrary "PUT" "/v1/libraries/{library_id}" Object "libraries"
        "libraries_update_v1" "libraries" "Change a library";
    PatchLibrary "PATCH" "/v1/libraries/{library_id}" Object "libraries"
        "libraries_patch_v1" "libraries" "Change parts of a library";
    DeleteLibrary "DELETE" "/v1/libraries/{library_id}" Object "libraries"
        "libraries_delete_v1" "libraries" "Delete a library with its documents";
    UploadDocument "POST" "/v1/libraries/{library_id}/documents" Upload "libraries"
        "libraries_documents_upload_v1" "libraries" "Put a document into a library";
    ListDocuments "GET" "/v1/libraries/{library_id}/documents" Object "libraries"
        "libraries_documents_list_v1" "libraries" "The documents of a library";
    GetDocument "GET" "/v1/libraries/{library_id}/documents/{document_id}" Object "libraries"
        "libraries_documents_get_v1" "libraries" "One document";
    UpdateDocument "PUT" "/v1/libraries/{library_id}/documents/{document_id}" Object "libraries"
        "libraries_documents_update_v1" "libraries" "Change what is known of a document";
    PatchDocument "PATCH" "/v1/libraries/{library_id}/documents/{document_id}" Object "libraries"
        "libraries_documents_patch_v1" "libraries" "Change parts of what is known of a document";
    DeleteDocument "DELETE" "/v1/libraries/{library_id}/documents/{document_id}" Object "libraries"
        "libraries_documents_delete_v1" "libraries" "Delete a document";
    DocumentText "GET" "/v1/libraries/{library_id}/documents/{document_id}/text_content" Object "libraries"
        "libraries_documents_get_text_content_v1" "libraries" "The text of a document";
    DocumentStatus "GET" "/v1/libraries/{library_id}/documents/{document_id}/status" Object "libraries"
        "libraries_documents_get_status_v1" "libraries" "How far a document is";
    SignDocumentUrl "GET" "/v1/libraries/{library_id}/documents/{document_id}/signed-url" Object "libraries"
        "libraries_documents_get_signed_url_v1" "libraries" "A URL that gives a document without a key";
    SignDocumentTextUrl "GET" "/v1/libraries/{library_id}/documents/{document_id}/extracted-text-signed-url" Object "libraries"
        "libraries_documents_get_extracted_text_signed_url_v1" "libraries" "A URL that gives the text of a document without a key";
    ReprocessDocument "POST" "/v1/libraries/{library_id}/documents/{document_id}/reprocess" Object "libraries"
        "libraries_documents_reprocess_v1" "libraries" "Read a document anew";
}

impl Endpoint {
    /// The name used in policies, ledgers and logs.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The one method it answers to.
    pub const fn method(self) -> &'static str {
        self.row().method
    }

    /// The path, the same here and upstream, with `{names}` for ids.
    pub const fn path(self) -> &'static str {
        self.row().path
    }
}
