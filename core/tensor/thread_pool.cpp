#include "core/tensor/thread_pool.h"

#include <unistd.h>

#include <adjoint/core/device_info.h>
#include <adjoint/core/error.h>
#include <adjoint/core/parallel.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include "core/tensor/allocator.h"
#include "core/tensor/processor.h"

namespace adjoint {
namespace {

// True on the pool's threads, and on a caller while it works on its own job.
thread_local bool inside = false;

// How long an idle thread spins before it sleeps: longer than the gap between two kernels of a
// step, shorter than anyone would notice.
constexpr auto kSpin = std::chrono::microseconds(60);

// Note [Thread pool]
// One job at a time. `state_` packs the job's number (32 bits), whether it is open (1 bit) and how
// many workers are on it (31 bits). A worker joins an open job by adding one; the caller closes it
// when no task is left to hand out and waits for those that joined, so a sleeping worker delays
// nobody. The job's fields are written only while it is closed and nobody is on it.
class Pool {
 public:
  static Pool& instance() {
    static auto* pool = new Pool;  // never destroyed: a static destructor may still run a kernel
    return *pool;
  }

  int threads() const { return threads_.load(std::memory_order_relaxed); }

  void resize(int threads) {
    std::lock_guard lock(mutex_);
    stop();
    threads_ = threads;
  }

  void run(int64_t tasks, void (*body)(void*, int64_t), void* context) {
    if (tasks <= 1 || inside || threads() == 1 || !mutex_.try_lock()) {
      for (int64_t task = 0; task < tasks; ++task) body(context, task);
      return;
    }
    std::lock_guard lock(mutex_, std::adopt_lock);
    if (workers_.empty()) start();
    body_ = body;
    context_ = context;
    tasks_ = tasks;
    next_.store(0, std::memory_order_relaxed);
    const uint64_t number = (state_.load(std::memory_order_relaxed) >> 32) + 1;
    state_.store(number << 32 | kOpen, std::memory_order_seq_cst);
    signal_.fetch_add(1, std::memory_order_seq_cst);
    if (sleepers_.load(std::memory_order_seq_cst) > 0) signal_.notify_all();
    inside = true;
    work();
    inside = false;
    state_.fetch_and(~uint64_t{kOpen}, std::memory_order_acq_rel);
    while ((state_.load(std::memory_order_acquire) & kCount) != 0) spin_pause();
    if (failed_.load(std::memory_order_relaxed)) {
      failed_ = false;
      std::rethrow_exception(std::exchange(error_, nullptr));
    }
  }

 private:
  static constexpr uint64_t kOpen = uint64_t{1} << 31;
  static constexpr uint64_t kCount = kOpen - 1;

  Pool() : threads_(default_threads()) {}

  static int default_threads() {
    if (const char* text = std::getenv("ADJOINT_THREADS")) {
      char* end = nullptr;
      const long value = std::strtol(text, &end, 10);
      if (end != text && *end == '\0' && value >= 0 && value <= 1024) {
        return value == 0 ? available_processors() : static_cast<int>(value);
      }
      fail<ConfigError>("ADJOINT_THREADS: not a number of threads: '", text,
                        "'; expected a whole number in [0, 1024]");
    }
    return available_processors();
  }

  void start() {
    stopping_ = false;
    const uint64_t seen = state_.load() >> 32;
    for (int i = 1; i < threads(); ++i) {
      workers_.emplace_back([this, seen] { serve(seen); });
    }
  }

  void stop() {
    stopping_ = true;
    signal_.fetch_add(1);
    signal_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
  }

  void work() {
    while (true) {
      const int64_t task = next_.fetch_add(1, std::memory_order_relaxed);
      if (task >= tasks_) return;
      try {
        body_(context_, task);
      } catch (...) {
        if (!failed_.exchange(true)) error_ = std::current_exception();
        next_.store(tasks_, std::memory_order_relaxed);
      }
    }
  }

  void serve(uint64_t seen) {
    inside = true;
    set_float_mode(float_mode() | kFlushDenormals);
    while (!stopping_.load(std::memory_order_relaxed)) {
      uint64_t state = state_.load(std::memory_order_acquire);
      if (state >> 32 == seen || (state & kOpen) == 0) {
        wait(seen);
        continue;
      }
      if (!state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel)) continue;
      seen = state >> 32;
      work();
      state_.fetch_sub(1, std::memory_order_acq_rel);
    }
  }

  bool idle(uint64_t seen) const {
    const uint64_t state = state_.load(std::memory_order_seq_cst);
    return (state >> 32 == seen || (state & kOpen) == 0) && !stopping_.load();
  }

  void wait(uint64_t seen) {
    const auto until = std::chrono::steady_clock::now() + kSpin;
    do {
      for (int i = 0; i < 64; ++i) {
        if (!idle(seen)) return;
        spin_pause();
      }
    } while (std::chrono::steady_clock::now() < until);
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    const uint32_t signal = signal_.load(std::memory_order_seq_cst);
    if (idle(seen)) signal_.wait(signal, std::memory_order_seq_cst);
    sleepers_.fetch_sub(1, std::memory_order_seq_cst);
  }

  std::mutex mutex_;  // held by whoever runs a job or changes the pool
  std::vector<std::thread> workers_;
  std::atomic<int> threads_;
  std::atomic<bool> stopping_{false}, failed_{false};
  std::exception_ptr error_;
  void (*body_)(void*, int64_t) = nullptr;
  void* context_ = nullptr;
  int64_t tasks_ = 0;
  alignas(64) std::atomic<int64_t> next_{0};
  alignas(64) std::atomic<uint64_t> state_{0};
  std::atomic<uint32_t> signal_{0};
  std::atomic<int> sleepers_{0};
};

}  // namespace

// Note [Scratch]
// Kernels are compiled without exceptions: where memory ends at a kernel's second buffer, nothing
// of the kernel gives the first one back. So each scope keeps a list of the blocks that it handed
// out, in the 64 bytes before them, and frees what is left when it ends.
struct alignas(64) KernelScope::Block {
  size_t bytes;
  Block *before, *after;
};

namespace {

thread_local KernelScope::Block* blocks = nullptr;  // of the innermost scope, the newest first

void* acquire(size_t bytes) {
  if (bytes == 0) return nullptr;
  using Block = KernelScope::Block;
  auto* block = new (allocate(bytes + sizeof(Block))) Block{bytes, nullptr, blocks};
  if (blocks != nullptr) blocks->before = block;
  blocks = block;
  return block + 1;
}

void release(void* memory) {
  if (memory == nullptr) return;
  KernelScope::Block* block = static_cast<KernelScope::Block*>(memory) - 1;
  if (block->after != nullptr) block->after->before = block->before;
  (block->before != nullptr ? block->before->after : blocks) = block->after;
  deallocate(block, block->bytes + sizeof(*block));
}

// In bytes; others may share it. 0 where the system does not tell.
int64_t last_cache_bytes() {
#ifdef _SC_LEVEL3_CACHE_SIZE
  return std::max<int64_t>(0, sysconf(_SC_LEVEL3_CACHE_SIZE));
#else
  return 0;
#endif
}

// Of this thread: the same constants but for `threads`, which may change between two calls.
kernels::Exec& own_exec() {
  // Results of up to an eighth of the last level, and what is kept of them, stay there until they
  // are read.
  static thread_local kernels::Exec exec{
      &detail::parallel_for,
      &acquire,
      &release,
      1,
      l2_cache_bytes(),
      std::max(kernels::Exec{}.stream_bytes, last_cache_bytes() / 8)};
  return exec;
}

}  // namespace

int num_threads() { return Pool::instance().threads(); }

void set_num_threads(int threads) {
  check<ConfigError>(threads >= 1 && threads <= 1024, "set_num_threads: out of range: ", threads,
                     "; expected a value in [1, 1024]");
  check<ConfigError>(!inside, "set_num_threads: called from inside a parallel_for");
  Pool::instance().resize(threads);
}

void detail::parallel_for(int64_t tasks, void (*body)(void*, int64_t), void* context) {
  Pool::instance().run(tasks, body, context);
}

KernelScope::KernelScope()
    : outer_blocks_(std::exchange(blocks, nullptr)), saved_mode_(float_mode()) {
  if ((saved_mode_ & kFlushDenormals) != kFlushDenormals) {
    set_float_mode(saved_mode_ | kFlushDenormals);
  }
}

KernelScope::~KernelScope() {
  while (blocks != nullptr) release(blocks + 1);
  blocks = outer_blocks_;
  if ((saved_mode_ & kFlushDenormals) != kFlushDenormals) set_float_mode(saved_mode_);
}

KernelScope::operator const kernels::Exec&() const {
  kernels::Exec& exec = own_exec();
  exec.threads = inside ? 1 : num_threads();
  return exec;
}

int64_t exchange_stream_bytes(int64_t bytes) {
  return std::exchange(own_exec().stream_bytes, bytes);
}

}  // namespace adjoint
