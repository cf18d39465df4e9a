//! A queue handed to a task of an executor; the parent awaits what it puts there, and answers.

use aioprocessing::{AioQueue, ProcessPoolExecutor};

fn ask(questions: AioQueue<String>, answers: AioQueue<u64>) -> u64 {
    questions.put("what is six times seven?".to_owned()).unwrap();
    answers.get().unwrap()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    let executor = ProcessPoolExecutor::new(1)?;
    let (questions, answers) = (AioQueue::unbounded()?, AioQueue::unbounded()?);
    let task = executor.submit(ask, (questions.clone(), answers.clone()))?;
    println!("the task asks: {}", questions.coro_get().await?);
    answers.coro_put(42).await?;
    println!("the task got: {}", task.coro_result().await?);
    executor.coro_shutdown(true, false).await?;
    Ok(())
}
