//! An HTTP server of worker processes, by hyper: `prefork [ADDRESS WORKERS MAX_REQUESTS]` serves until SIGTERM. Without an
//! address it is its own client for six requests, of which each worker serves two.

use std::io::Write;
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
    let text = format!("{} by pid {}", request.uri().path(), std::process::id());
    Response::builder().header(CONNECTION, after).body(Full::from(text))
}

async fn serve(stream: tokio::net::TcpStream) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(5));
    // An error is a client that went away.
    let _ = http.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
}

fn get(address: std::net::SocketAddr, path: u32) -> std::io::Result<String> {
    let mut stream = std::net::TcpStream::connect(address)?;
    write!(stream, "GET /{path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n")?;
    let answer = std::io::read_to_string(stream)?;
    Ok(answer.lines().last().unwrap_or_default().to_owned())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    if let [address, workers, most] = &std::env::args().skip(1).collect::<Vec<_>>()[..] {
        let builder = Prefork::builder().bind(address.as_str()).workers(workers.parse()?);
        return Ok(builder.max_requests(most.parse()?).serve(serve)?);
    }
    let server = Prefork::builder().bind("127.0.0.1:0").workers(1).max_requests(2).build()?;
    let (address, control) = (server.local_addr().ok_or("no address")?, server.control());
    let client = std::thread::spawn(move || {
        let answers: std::io::Result<Vec<_>> = (1..=6).map(|path| get(address, path)).collect();
        control.drain();
        answers
    });
    server.serve(serve)?;
    let answers = client.join().map_err(|_| "the client panicked")??;
    answers.iter().for_each(|answer| println!("{answer}"));
    let pids: std::collections::HashSet<_> = answers.iter().map(|answer| answer.rsplit(' ').next()).collect();
    println!("{} requests were served by {} workers", answers.len(), pids.len());
    Ok(())
}
