#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let spec = wedlm_bench::config::train::TrainSpec::load(std::path::Path::new(&path)).unwrap();
    let start = std::time::Instant::now();
    let summary = wedlm_bench::train::trainer::train(&spec, &mut |p| {
        println!("{:6.0}s step {}/{} loss {:.4} lr {:.2e} rows/s {:.0}", start.elapsed().as_secs_f64(), p.step, p.n_steps, p.loss, p.learning_rate, p.rows_per_second);
    });
    println!("{summary:?}");
}
