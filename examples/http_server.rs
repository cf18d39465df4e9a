//! An HTTP server of worker processes, by hyper: `http_server ADDRESS WORKERS MAX_REQUESTS` serves until SIGTERM. SIGHUP
//! replaces its workers one by one.

use std::time::Duration;

use aioprocessing::Prefork;
use http_body_util::Full;
use hyper::header::CONNECTION;
use hyper::{Request, Response, body::Bytes, body::Incoming, http, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};

async fn answer(request: Request<Incoming>) -> http::Result<Response<Full<Bytes>>> {
    Prefork::note_request();
    // The client of a worker that leaves comes back on another connection, to another worker.
    let after = if Prefork::is_leaving() { "close" } else { "keep-alive" };
    let text = format!("{} by pid {}\n", request.uri().path(), std::process::id());
    Response::builder().header(CONNECTION, after).body(Full::from(text))
}

async fn serve(stream: tokio::net::TcpStream) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(5));
    // An error is a client that went away.
    let _ = http.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [address, workers, most] = &args[..] else {
        return Err("how to call it: http_server ADDRESS WORKERS MAX_REQUESTS".into());
    };
    let builder = Prefork::builder().bind(address.as_str()).workers(workers.parse()?);
    Ok(builder.max_requests(most.parse()?).serve(serve)?)
}
