//! Starts Portkey's gateway with the upstream as its custom host.

use std::fs;
use std::process::Command;

use crate::Fault;
use crate::contestant::{Place, Target, free_address};
use crate::process::Process;

/// Starts it on a free port. It would listen on every interface, so a preloaded script holds it to loopback.
pub fn launch(place: &Place<'_>) -> Result<(Process, Target), Fault> {
    let program = place.options.program("portkey")?;
    let folder = place.options.cache.join("portkey");
    fs::create_dir_all(&folder)?;
    let address = free_address()?;
    let preload = folder.join("loopback.cjs");
    fs::write(&preload, LOOPBACK)?;
    let mut command = Command::new("node");
    command.arg("--require").arg(&preload).arg(program);
    command.args([format!("--port={}", address.port()), "--headless".to_owned()]);
    command.env("NODE_ENV", "production");
    let process = Process::start("portkey", &mut command, &folder.join("log"))?;
    let headers = format!(
        "authorization: Bearer upstream-key\r\nx-portkey-provider: openai\r\n\
         x-portkey-custom-host: http://{}/v1\r\n",
        place.upstream
    );
    Ok((process, Target { address, headers }))
}

const LOOPBACK: &str = "const { Server } = require('net');
const listen = Server.prototype.listen;
Server.prototype.listen = function (first, ...rest) {
  if (typeof first === 'object' && first !== null) first = { ...first, host: '127.0.0.1' };
  else if (typeof first === 'number') {
    rest = ['127.0.0.1', ...rest.filter((each) => typeof each === 'function')];
  }
  return listen.call(this, first, ...rest);
};
";
