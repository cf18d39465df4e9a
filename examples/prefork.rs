//! An HTTP server of worker processes, by hyper. With an address it serves until SIGTERM:
//! `prefork 127.0.0.1:8080 [WORKERS [MAX_REQUESTS]]`. Without one it is its own client for six requests.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::time::Duration;

use aioprocessing::Prefork;
use http_body_util::Full;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::{Request, Response, body::Bytes, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Prefork::note_request();
    let text = format!("{} by pid {}", request.uri().path(), std::process::id());
    let mut response = Response::new(Full::from(text));
    if Prefork::is_leaving() {
        // The client comes back on another connection, to another worker.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

async fn serve(stream: TcpStream) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(5));
    // An error is a client that went away.
    let _ = http.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
}

fn get(address: std::net::SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = std::net::TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text.lines().last().unwrap_or_default().to_owned())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    let mut args = std::env::args().skip(1);
    if let Some(address) = args.next() {
        let workers = args.next().map_or(Ok(2), |text| text.parse())?;
        let most = args.next().map_or(Ok(0), |text| text.parse())?;
        return Ok(Prefork::builder().bind(address).workers(workers).max_requests(most).serve(serve)?);
    }
    let builder = Prefork::builder().bind("127.0.0.1:0").workers(1).max_requests(2).max_requests_jitter(0);
    let server = builder.build()?;
    let (address, control) = (server.local_addr().ok_or("no address")?, server.control());
    let client = std::thread::spawn(move || {
        let answers: Result<Vec<_>, _> = (1..=6).map(|i| get(address, &format!("/{i}"))).collect();
        control.drain();
        answers
    });
    server.serve(serve)?;
    let answers = client.join().map_err(|_| "the client panicked")??;
    answers.iter().for_each(|answer| println!("{answer}"));
    let pids: std::collections::HashSet<_> =
        answers.iter().filter_map(|answer| answer.rsplit(' ').next()).collect();
    println!("{} requests were served by {} workers", answers.len(), pids.len());
    Ok(())
}
