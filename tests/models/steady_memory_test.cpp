// A training step in steady state asks the system for no memory. Asserted twice: by the allocator's
// own figure, and by the system: a child process forbids itself the calls, and dies of the first.
#include <adjoint/core/autograd.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/memory.h>
#include <adjoint/core/parallel.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/models/gpt.h>
#include <adjoint/nn/activation.h>
#include <adjoint/nn/linear.h>
#include <adjoint/nn/sequential.h>
#include <adjoint/optim/adam.h>
#include <adjoint/optim/clip.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstddef>
#include <functional>

#if defined(__linux__)
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ADJOINT_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ADJOINT_SANITIZED 1
#endif
#endif

namespace adjoint {
namespace {

constexpr int kWarmUp = 4, kSteps = 6;

// Calls `train` with what is to be called between the first steps and the steady ones.
using Training = void (*)(const std::function<void()>& steady);

void train_mlp(const std::function<void()>& steady) {
  manual_seed(1);
  nn::Sequential model(nn::Linear(784, 512), nn::ReLU(), nn::Linear(512, 512), nn::GELU(),
                       nn::Linear(512, 10));
  const Tensor x = randn({1024, 784}), y = randint(0, 10, {1024});
  optim::Adam optimizer(model.parameters(), {.lr = 1e-3});
  for (int i = 0; i < kWarmUp + kSteps; ++i) {
    if (i == kWarmUp) steady();
    optimizer.zero_grad();
    cross_entropy(model(x), y).backward();
    optimizer.step();
  }
}

void train_gpt(const std::function<void()>& steady) {
  manual_seed(1);
  const models::Gpt model(
      {.vocab_size = 65, .block_size = 64, .n_layer = 3, .n_head = 4, .n_embd = 128});
  const Tensor ids = randint(0, 65, {12, 64}), targets = randint(0, 65, {12, 64});
  optim::AdamW optimizer(model.parameters(), {.lr = 1e-3});
  for (int i = 0; i < kWarmUp + kSteps; ++i) {
    if (i == kWarmUp) steady();
    optimizer.zero_grad();
    model.loss(ids, targets).backward();
    optim::clip_grad_norm_(optimizer.slots(), 1.0);
    optimizer.step();
  }
}

void expect_no_calls(Training train) {
  int64_t calls = -1, reserved = -1;
  train([&] {
    calls = memory_stats().system_calls;
    reserved = memory_stats().reserved;
  });
  EXPECT_GT(calls, 0);
  EXPECT_EQ(memory_stats().system_calls, calls);
  EXPECT_EQ(memory_stats().reserved, reserved);
}

TEST(SteadyMemory, AnMlpTakesNothingFromTheSystem) { expect_no_calls(&train_mlp); }
TEST(SteadyMemory, AGptTakesNothingFromTheSystem) { expect_no_calls(&train_gpt); }

#if defined(__linux__) && !defined(ADJOINT_SANITIZED)

constexpr int kForbidden[] = {SYS_mmap, SYS_munmap, SYS_mremap, SYS_brk, SYS_madvise};

// From now on each of these calls, by any thread and whoever makes it (the C library's malloc too),
// ends the process with SIGSYS.
bool forbid_memory_calls() {
  constexpr size_t kCalls = sizeof(kForbidden) / sizeof(kForbidden[0]);
  sock_filter filter[kCalls + 3];
  filter[0] = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));
  for (size_t i = 0; i < kCalls; ++i) {
    filter[i + 1] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(kForbidden[i]),
                             static_cast<uint8_t>(kCalls - i), 0);
  }
  filter[kCalls + 1] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  filter[kCalls + 2] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  const sock_fprog program{kCalls + 3, filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

constexpr int kDone = 0, kNoFilter = 77;

// Runs in a child process of its own.
[[noreturn]] void train_and_exit(Training train) {
  set_num_threads(2);
  train([] {
    if (!forbid_memory_calls()) _exit(kNoFilter);
  });
  _exit(kDone);
}

bool filters_work() {
  const pid_t child = fork();
  if (child == 0) _exit(forbid_memory_calls() ? kDone : kNoFilter);
  int status = 0;
  return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

class SteadyMemoryDeathTest : public testing::Test {
 protected:
  void SetUp() override {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    if (!filters_work()) GTEST_SKIP() << "this system has no seccomp filters";
  }
};

TEST_F(SteadyMemoryDeathTest, TheFilterEndsWhoAsks) {
  EXPECT_EXIT(
      {
        if (!forbid_memory_calls()) _exit(kNoFilter);
        empty({int64_t{1} << 28});
        _exit(kDone);
      },
      testing::KilledBySignal(SIGSYS), "");
}

TEST_F(SteadyMemoryDeathTest, AnMlpMakesNoSystemCallForMemory) {
  EXPECT_EXIT(train_and_exit(&train_mlp), testing::ExitedWithCode(kDone), "");
}

TEST_F(SteadyMemoryDeathTest, AGptMakesNoSystemCallForMemory) {
  EXPECT_EXIT(train_and_exit(&train_gpt), testing::ExitedWithCode(kDone), "");
}

#endif

}  // namespace
}  // namespace adjoint
