//! Starts LiteLLM's proxy with one model, a master key and no database.

use std::fs;
use std::process::Command;

use crate::Fault;
use crate::answers::MODEL;
use crate::contestant::{Place, Target, free_address};
use crate::process::Process;

const KEY: &str = "sk-bench-0123456789abcdef";

/// Starts it with two workers on a free port; its access log is off, as nginx's is.
pub fn launch(place: &Place<'_>) -> Result<(Process, Target), Fault> {
    let program = place.options.program("litellm")?;
    let folder = place.options.cache.join("litellm");
    fs::create_dir_all(&folder)?;
    let address = free_address()?;
    let (configuration, logging) = (folder.join("config.yaml"), folder.join("logging.json"));
    let upstream = place.upstream;
    fs::write(
        &configuration,
        format!(
            "model_list:\n  - model_name: {MODEL}\n    litellm_params:\n      model: openai/{MODEL}\n      \
             api_base: http://{upstream}/v1\n      api_key: upstream-key\n\
             general_settings:\n  master_key: {KEY}\n\
             litellm_settings:\n  telemetry: false\n  num_retries: 0\n  request_timeout: 60\n"
        ),
    )?;
    fs::write(&logging, LOGGING)?;
    let mut command = Command::new(program);
    command.arg("--config").arg(&configuration).arg("--log_config").arg(&logging);
    command.args(["--host", "127.0.0.1", "--num_workers", "2", "--port", &address.port().to_string()]);
    command.env("LITELLM_LOCAL_MODEL_COST_MAP", "True").env("LITELLM_MODE", "PRODUCTION");
    command.env("LITELLM_LOG", "ERROR");
    let process = Process::start("litellm", &mut command, &folder.join("log"))?;
    Ok((process, Target::with_key(address, KEY)))
}

const LOGGING: &str = r#"{"version": 1, "disable_existing_loggers": false,
 "loggers": {"uvicorn": {"level": "WARNING"}, "uvicorn.access": {"level": "CRITICAL"}}}
"#;
