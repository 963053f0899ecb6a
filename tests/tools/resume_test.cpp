// Trainings that are killed, interrupted and resumed end with the same bits as those that are not.
#include <adjoint/core/file.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <random>
#include <set>
#include <thread>

#include "tests/tools/programs.h"

// The kernel has it since 5.3; the C library's headers may be older.
#ifndef PTRACE_GET_SYSCALL_INFO
#define PTRACE_GET_SYSCALL_INFO static_cast<__ptrace_request>(0x420e)
#endif

namespace adjoint {
namespace {

namespace fs = std::filesystem;

class Resume : public Programs {
 protected:
  // Every step saves, validations lie between, dropout draws random numbers.
  Words options(const std::string& run, const Words& more = {}) const {
    return tiny(Words{"--steps", "30", "--save-every", "1", "--eval-every", "7", "--dropout", "0.1",
                      "--quiet", "--out", path(run)} +
                more);
  }

  // A run that nobody disturbed.
  void train_reference(const Words& more = {}) {
    const Finished whole = run_process(options("whole", more));
    ASSERT_EQ(whole.status, 0) << whole.err;
    ASSERT_EQ(metrics_of(path("whole")).size(), 30U);
  }

  void expect_same(const std::string& run) const {
    const std::string last = "/step-00000030/";
    for (const char* file :
         {"model.safetensors", "optimizer.safetensors", "config.json", "tokenizer.json"}) {
      const std::string expected = bytes_of_file(path("whole") + last + file);
      EXPECT_FALSE(expected.empty()) << file;
      EXPECT_TRUE(bytes_of_file(path(run) + last + file) == expected) << run << ": " << file;
    }
    const auto best = [&](const std::string& name) {
      const Json state = Json::load(path(name) + last + "state.json");
      return state.at("best_loss").dump() + " at " + state.at("best_step").dump();
    };
    EXPECT_EQ(best(run), best("whole"));
    EXPECT_EQ(metrics_of(path(run)), metrics_of(path("whole")));
    EXPECT_EQ(bytes_of_file(path(run) + "/latest"), "step-00000030\n");
  }

  // What a killed process leaves: whole checkpoints, `latest` naming one of them, temporaries.
  void expect_nothing_half_written(const std::string& run) const {
    if (!fs::exists(path(run))) return;
    std::set<std::string> checkpoints;
    for (const auto& entry : fs::directory_iterator(path(run))) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("step-")) {
        checkpoints.insert(name);
        EXPECT_EQ(io::manifest_error(entry.path().string()), std::nullopt);
      } else {
        EXPECT_TRUE(name == "latest" || name == "metrics.jsonl" || name.starts_with(".tmp-"))
            << name;
      }
    }
    const std::string latest = bytes_of_file(path(run) + "/latest");
    if (latest.empty()) return;
    EXPECT_EQ(checkpoints.count(latest.substr(0, latest.size() - 1)), 1U) << latest;
  }

  // Goes on until the run is finished.
  void finish(const std::string& run, const Words& more = {}) const {
    const Finished end = run_process(options(run, more));
    EXPECT_EQ(end.status, 0) << end.err;
    expect_same(run);
    for (const auto& entry : fs::directory_iterator(path(run))) {
      EXPECT_FALSE(entry.path().filename().string().starts_with(".tmp-")) << entry.path();
    }
  }

  // Sends the signal at random moments until it has stopped a run so often. What is finished all
  // the same is looked at and begun anew.
  void stop_at_random(int number, const std::set<int>& statuses, int wanted) {
    train_reference();
    std::mt19937 random(20240511);
    double window = 0.2;  // seconds; finds its way to what a run takes here
    int stopped = 0;
    for (int i = 0; i < 20 * wanted && stopped < wanted; ++i) {
      Process process(options("run"));
      std::this_thread::sleep_for(
          std::chrono::duration<double>(std::uniform_real_distribution(0.0, window)(random)));
      process.signal(number);
      const Finished end = process.finish();
      ASSERT_TRUE(end.status == 0 || statuses.count(end.status) == 1)
          << end.status << ": " << end.err;
      expect_nothing_half_written("run");
      if (end.status != 0) {
        ++stopped;
        window *= 1.1;
        continue;
      }
      window *= 0.8;
      expect_same("run");
      fs::remove_all(path("run"));
    }
    EXPECT_EQ(stopped, wanted);
    finish("run");
  }
};

using Kill = Resume;
using Interrupt = Resume;

TEST_F(Kill, AtRandomMoments) { stop_at_random(SIGKILL, {-SIGKILL}, long_tests() ? 1000 : 20); }

TEST_F(Interrupt, TerminationAtRandomMoments) {
  // Before it has begun to listen, the signal does what it does to everybody.
  stop_at_random(SIGTERM, {128 + SIGTERM, -SIGTERM}, long_tests() ? 300 : 10);
}

// The calls that change what lies on the disk, or make it last.
bool changes_the_disk(uint64_t call) {
  static const std::set<uint64_t> calls = {
      SYS_openat,    SYS_write,    SYS_fsync,   SYS_fdatasync, SYS_fallocate,
      SYS_ftruncate, SYS_pwrite64, SYS_mkdirat, SYS_unlinkat,  SYS_renameat,
      SYS_renameat2, SYS_writev,   SYS_close,
#ifdef SYS_mkdir
      SYS_open,      SYS_mkdir,    SYS_rmdir,   SYS_unlink,    SYS_rename,
#endif
  };
  return calls.count(call) == 1;
}

// The kernel's struct ptrace_syscall_info, as far as it is looked at.
struct SyscallInfo {
  uint8_t kind;  // 1: at the entry
  uint8_t padding[3];
  uint32_t architecture;
  uint64_t instruction, stack, number, arguments[6];
};

// Runs until it is about to make the n-th such call (from 0) and kills it there. Returns how many
// it saw; nothing where tracing is not allowed.
std::optional<int64_t> kill_at_call(const Words& arguments, int64_t n) {
  Process process(arguments, {.traced = true});
  int status = 0;
  if (::waitpid(process.id(), &status, WUNTRACED) != process.id()) return std::nullopt;
  if (!WIFSTOPPED(status)) return std::nullopt;
  if (::ptrace(PTRACE_SETOPTIONS, process.id(), nullptr, PTRACE_O_TRACESYSGOOD) != 0) {
    return std::nullopt;
  }
  int64_t seen = 0;
  long pass_on = 0;
  while (::ptrace(PTRACE_SYSCALL, process.id(), nullptr, pass_on) == 0) {
    // Looked at without being reaped: finish() does that.
    siginfo_t info = {};
    if (::waitid(P_PID, static_cast<id_t>(process.id()), &info, WEXITED | WSTOPPED | WNOWAIT) !=
        0) {
      return std::nullopt;
    }
    if (info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED) break;  // it ended
    ::waitpid(process.id(), &status, 0);
    pass_on = 0;
    if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
      pass_on = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
      continue;
    }
    SyscallInfo call = {};
    if (::ptrace(PTRACE_GET_SYSCALL_INFO, process.id(), sizeof(call), &call) <= 0) {
      return std::nullopt;
    }
    if (call.kind != 1 || !changes_the_disk(call.number)) continue;
    if (seen++ == n) {
      process.signal(SIGKILL);
      break;
    }
  }
  process.finish();
  return seen;
}

// Not at random moments but at every one that matters: between any two changes of the disk.
TEST_F(Kill, BetweenAnyTwoChangesOfTheDisk) {
  const Words more = {"--steps", "4", "--eval-every", "3", "--threads", "1"};
  ASSERT_EQ(run_process(options("whole", more)).status, 0);
  const std::string model = bytes_of_file(path("whole/step-00000004/model.safetensors"));
  const std::string optimizer = bytes_of_file(path("whole/step-00000004/optimizer.safetensors"));
  const std::optional<int64_t> calls = kill_at_call(options("counted", more), -1);
  if (!calls) {
    GTEST_SKIP() << "SKIPPED: this system does not let a process trace its child";
  }
  ASSERT_EQ(bytes_of_file(path("counted/step-00000004/model.safetensors")), model);
  ASSERT_GT(*calls, 150);
  const int64_t stride = long_tests() ? 1 : 7;
  for (int64_t n = 0; n < *calls; n += stride) {
    SCOPED_TRACE("killed before call " + std::to_string(n));
    fs::remove_all(path("run"));
    ASSERT_TRUE(kill_at_call(options("run", more), n));
    expect_nothing_half_written("run");
    const Finished end = run_process(options("run", more));
    ASSERT_EQ(end.status, 0) << end.err;
    ASSERT_EQ(bytes_of_file(path("run/step-00000004/model.safetensors")), model);
    ASSERT_EQ(bytes_of_file(path("run/step-00000004/optimizer.safetensors")), optimizer);
    ASSERT_EQ(metrics_of(path("run")), metrics_of(path("whole")));
    ASSERT_EQ(bytes_of_file(path("run/latest")), "step-00000004\n");
  }
}

// The last moment at which a kill can leave something behind: what it leaves is mended.
TEST_F(Kill, BeforeLatestIsWritten) {
  train_reference();
  folder_.write("whole/latest", "step-00000029\n");
  finish("whole");
  fs::remove(path("whole/latest"));
  finish("whole");
}

// A process that is killed over and over, each time after its first step, still comes to the end.
TEST_F(Kill, AfterEveryStep) {
  train_reference();
  int stopped = 0;
  for (int i = 0; i < 60; ++i) {
    Process process(options("run", {"--json"}));
    if (process.read_lines(1)) process.signal(SIGKILL);
    const Finished end = process.finish();
    expect_nothing_half_written("run");
    if (end.status == 0) break;
    ASSERT_EQ(end.status, -SIGKILL);
    ++stopped;
  }
  EXPECT_GE(stopped, 3);
  finish("run");
}

// Steps long enough for a signal to come between two of them.
Words slow_steps() { return {"--batch-size", "64", "--n-embd", "32", "--seq-len", "32"}; }

TEST_F(Interrupt, AfterEveryStep) {
  const Words more = slow_steps() + Words{"--save-every", "0", "--json"};
  train_reference(more);
  std::set<int64_t> stops;
  for (int i = 0; i < 60; ++i) {
    Process process(options("run", more));
    if (process.read_lines(1)) process.signal(SIGINT);
    const Finished end = process.finish();
    if (end.status == 0) break;
    ASSERT_EQ(end.status, 128 + SIGINT) << end.err;
    const std::string line = lines_of(end.err).at(0);
    const std::string before = "interrupted at step ";
    ASSERT_TRUE(line.starts_with(before)) << line;
    stops.insert(std::stoll(line.substr(before.size())));
    expect_nothing_half_written("run");
  }
  EXPECT_GE(stops.size(), 8U);
  finish("run", more);
}

// What a stopped validation was to report is kept until it can be made.
TEST_F(Interrupt, DuringValidation) {
  const Words more = slow_steps() + Words{"--eval-every",
                                          "1",
                                          "--save-every",
                                          "0",
                                          "--json",
                                          "--val-data",
                                          folder_.write("examined", some_text(60000))};
  train_reference(more);
  int pending = 0;
  for (int i = 0; i < 10 && pending < 2; ++i) {
    Process process(options("run", more));
    ASSERT_TRUE(process.read_lines(1));
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // past what follows the line
    process.signal(SIGINT);
    ASSERT_EQ(process.finish().status, 130);
    const std::string latest = bytes_of_file(path("run/latest"));
    const std::string name = latest.substr(0, latest.size() - 1);
    pending += Json::load(path("run/" + name + "/state.json")).at("pending").is_null() ? 0 : 1;
  }
  EXPECT_EQ(pending, 2);
  finish("run", more);
}

TEST_F(Interrupt, PrintsTheCommandThatResumes) {
  const Words more = slow_steps() + Words{"--save-every", "0"};
  train_reference(more);
  // A folder, an option and an environment that a shell would take apart.
  const std::string run = "it's a $HOME run";
  const ProcessOptions there = {
      .environment = {{"ADJOINT_STEPS", "30"}, {"ADJOINT_PROMPT", "a river"}}, .folder = path("")};
  Words arguments = options("whole", more);
  for (auto at = arguments.begin(); at != arguments.end();) {
    at = *at == "--steps" ? arguments.erase(at, at + 2) : at + 1;
  }
  Process process(arguments + Words{"--out", run, "--json", "--resume=auto"}, there);
  ASSERT_TRUE(process.read_lines(4));
  process.signal(SIGINT);
  const Finished end = process.finish();
  ASSERT_EQ(end.status, 130) << end.err;
  const std::vector<std::string> lines = lines_of(end.err);
  ASSERT_EQ(lines.size(), 2U) << end.err;
  EXPECT_TRUE(lines[0].ends_with("; saved; this goes on:")) << lines[0];
  EXPECT_EQ(lines[1].substr(0, 2), "  ");
  const Finished resumed = run_process({"/bin/sh", "-c", lines[1]}, {.folder = path("")});
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_LE(lines_of(resumed.out).size(), 26U);  // it did go on
  expect_same(run);
}

// Whether a signal that was sent has been taken.
bool is_pending(pid_t id, int number) {
  for (const std::string& line :
       lines_of(bytes_of_file("/proc/" + std::to_string(id) + "/status"))) {
    if (!line.starts_with("ShdPnd:")) continue;
    return (std::stoull(line.substr(8), nullptr, 16) >> (number - 1) & 1) != 0;
  }
  return false;
}

TEST_F(Interrupt, TheSecondEndsAtOnce) {
  const Words slow = {"--batch-size", "64",           "--n-embd", "64",    "--seq-len",
                      "256",          "--save-every", "0",        "--json"};
  Process process(options("run", slow));
  ASSERT_TRUE(process.read_lines(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // it is in the second step now
  process.signal(SIGINT);
  while (is_pending(process.id(), SIGINT)) std::this_thread::yield();
  process.signal(SIGINT);
  const Finished end = process.finish();
  EXPECT_EQ(end.status, 130);
  EXPECT_EQ(end.err, "");
  // Without waiting for the step and saving.
  for (const auto& entry : fs::directory_iterator(path("run"))) {
    EXPECT_EQ(entry.path().filename(), "metrics.jsonl");
  }
}

TEST_F(Resume, ASecondProcessIsRefused) {
  Process first(options("run", {"--steps", "1000000", "--save-every", "100", "--json"}));
  ASSERT_TRUE(first.read_lines(150));
  for (const char* resume : {"auto", "must"}) {
    const Finished second = run_process(options("run", {"--steps", "1000000", "--resume", resume}));
    EXPECT_EQ(second.status, 1);
    EXPECT_EQ(second.err, "train_gpt: " + path("run") +
                              ": another process is training in this folder; wait for it, or give "
                              "another --out\n");
  }
  first.signal(SIGTERM);
  EXPECT_EQ(first.finish().status, 143);
}

TEST_F(Resume, AFinishedRunHasNothingToDo) {
  train_reference();
  const auto before = contents_of(path("whole"));
  for (const char* resume : {"auto", "must"}) {
    const Finished again = run_process(options("whole", {"--resume", resume}));
    EXPECT_EQ(again.status, 0);
    EXPECT_EQ(again.err,
              "nothing to do: the run in " + path("whole") + " has made all of its 30 steps\n");
    EXPECT_EQ(again.out, "");
  }
  EXPECT_EQ(contents_of(path("whole")), before);
}

TEST_F(Resume, TimeIsUp) {
  train_reference();
  const Finished end = run_process(options("run", {"--max-time", "0.0001"}));
  EXPECT_EQ(end.status, 0);
  EXPECT_NE(end.err.find("time is up at step "), std::string::npos) << end.err;
  finish("run");
}

TEST_F(Resume, ThreadsDoNotChangeABit) {
  const Words more = slow_steps() + Words{"--save-every", "0"};
  train_reference(more + Words{"--threads", "1"});
  for (const char* threads : {"2", "4"}) finish(threads, more + Words{"--threads", threads});
}

// Each part of a run with another number of threads.
TEST_F(Resume, ThreadsMayChangeBetweenTheParts) {
  const Words more = slow_steps();
  train_reference(more);
  for (const char* threads : {"1", "2", "3"}) {
    Process process(options("run", more + Words{"--threads", threads, "--json"}));
    ASSERT_TRUE(process.read_lines(3));
    process.signal(SIGKILL);
    process.finish();
  }
  finish("run", more + Words{"--threads", "4"});
}

// The folder that a run began with may be gone when it goes on.
TEST_F(Resume, WithoutTheModelItBeganWith) {
  ASSERT_EQ(train({"--out", path("base"), "--seq-len", "16"}).status, 0);
  const Words more = {"--init", path("base")};
  train_reference(more);
  Process process(options("run", more + Words{"--json"}));
  ASSERT_TRUE(process.read_lines(5));
  process.signal(SIGKILL);
  ASSERT_EQ(process.finish().status, -SIGKILL);
  fs::rename(path("base"), path("elsewhere"));
  finish("run", more);
}

}  // namespace
}  // namespace adjoint
