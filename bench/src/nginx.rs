//! Starts nginx as a reverse proxy, plain or with a key check and a rate limit.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::Fault;
use crate::contestant::{Place, Target, free_address};
use crate::process::Process;

const KEY: &str = "bench-key-0123456789abcdef0123456789abcdef";

/// Starts it in the foreground on a free port.
pub fn launch(place: &Place<'_>, keyed: bool) -> Result<(Process, Target), Fault> {
    let program = place.options.program("nginx")?;
    let name = if keyed { "nginx-key" } else { "nginx" };
    let folder = place.options.cache.join(name);
    fs::create_dir_all(&folder)?;
    let address = free_address()?;
    let configuration = folder.join("nginx.conf");
    fs::write(&configuration, text(&folder, address, place.upstream, keyed))?;
    let mut command = Command::new(program);
    command.arg("-p").arg(&folder).arg("-c").arg(&configuration).args(["-e", "stderr"]);
    let process = Process::start(name, &mut command, &folder.join("log"))?;
    Ok((process, Target::with_key(address, KEY)))
}

/// The configuration. Bodies stay in memory and streams pass at once, as one sets nginx up in front of such an API.
fn text(folder: &Path, address: SocketAddr, upstream: SocketAddr, keyed: bool) -> String {
    let folder = folder.display();
    let (key_map, key_check) = if keyed { (KEY_MAP, KEY_CHECK) } else { ("", "") };
    let key_map = key_map.replace("KEY", KEY);
    format!(
        "daemon off; worker_processes 2; worker_rlimit_nofile 8192; user root;
pid {folder}/pid; error_log stderr error;
events {{ worker_connections 4096; }}
http {{
  access_log off; map_hash_bucket_size 128; keepalive_timeout 300s; keepalive_requests 1000000000; tcp_nodelay on;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  client_body_buffer_size 64k;
  {key_map}
  upstream model {{ server {upstream}; keepalive 256; keepalive_requests 1000000000; keepalive_timeout 300s; }}
  server {{
    listen {address};
  location / {{
      {key_check}
      proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection \"\";
      proxy_buffering off;
    }}
  }}
}}
"
    )
}

/// One key, and a rate that nobody reaches.
const KEY_MAP: &str = "map $http_authorization $key_name {
    default \"\";
    \"Bearer KEY\" bench;
  }
  limit_req_zone $key_name zone=keys:10m rate=1000000r/s;";

const KEY_CHECK: &str = "if ($key_name = \"\") { return 401; }
      limit_req zone=keys burst=1000000 nodelay;";
