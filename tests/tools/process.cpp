#include "tests/tools/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <stdexcept>

#include "tests/temporary_folder.h"

extern char** environ;

namespace adjoint {
namespace {

constexpr int kTimeoutSeconds = 120;

std::vector<std::string> environment_with(const std::map<std::string, std::string>& added) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::string name = text.substr(0, text.find('='));
    const bool ours = name.starts_with("ADJOINT_") && name != "ADJOINT_ISA";
    if (!ours && name != "NO_COLOR" && added.count(name) == 0) all.push_back(text);
  }
  for (const auto& [name, value] : added) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

[[noreturn]] void fail_with(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

struct Ends {
  int ours, theirs;
};

Ends make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail_with("pipe");
  return {ends[0], ends[1]};
}

Ends make_terminal(int columns) {
  const int ours = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (ours < 0 || ::grantpt(ours) != 0 || ::unlockpt(ours) != 0) fail_with("no terminal");
  const int theirs = ::open(::ptsname(ours), O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (theirs < 0) fail_with("no terminal");
  struct winsize size = {};
  size.ws_col = static_cast<unsigned short>(columns);
  size.ws_row = 24;
  ::ioctl(theirs, TIOCSWINSZ, &size);
  return {ours, theirs};
}

}  // namespace

Process::Process(const std::vector<std::string>& arguments, const ProcessOptions& options) {
  std::vector<std::string> words = arguments;
  std::vector<std::string> environment = environment_with(options.environment);
  const std::vector<char*> argv = pointers_to(words), envp = pointers_to(environment);
  const Ends err =
      options.terminal_columns > 0 ? make_terminal(options.terminal_columns) : make_pipe();
  Ends out = {-1, -1};
  if (options.stdout_file.empty()) {
    out = make_pipe();
  } else {
    out.theirs = ::open(options.stdout_file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (out.theirs < 0) fail_with(options.stdout_file);
  }
  const int in = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  id_ = ::fork();
  if (id_ < 0) fail_with("fork");
  if (id_ == 0) {
    if (!options.folder.empty() && ::chdir(options.folder.c_str()) != 0) ::_exit(126);
    ::dup2(in, STDIN_FILENO);
    ::dup2(out.theirs, STDOUT_FILENO);
    ::dup2(err.theirs, STDERR_FILENO);
    // What the test's own parent ignores or blocks is not the program's business.
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(number, SIG_DFL);
    if (options.file_limit > 0) {
      const struct rlimit limit = {options.file_limit, options.file_limit};
      if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(124);
    }
    if (options.traced && ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(125);
    ::execvpe(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  ::close(in);
  ::close(out.theirs);
  ::close(err.theirs);
  out_ = out.ours;
  err_ = err.ours;
}

Process::~Process() {
  if (!reaped_) {
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
  }
  if (out_ >= 0) ::close(out_);
  if (err_ >= 0) ::close(err_);
}

void Process::signal(int number) const {
  if (!reaped_) ::kill(id_, number);
}

void Process::read_available(int& fd, std::string& text) {
  char buffer[65536];
  const ssize_t count = ::read(fd, buffer, sizeof(buffer));
  if (count > 0) {
    text.append(buffer, static_cast<size_t>(count));
  } else if (count == 0 || errno != EINTR) {  // of a terminal that nobody writes to: EIO
    ::close(fd);
    fd = -1;
  }
}

bool Process::read_until(const std::function<bool()>& condition) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point deadline = Clock::now() + std::chrono::seconds(kTimeoutSeconds);
  while (!condition()) {
    if (out_ < 0 && err_ < 0) return false;
    struct pollfd polled[2] = {{out_, POLLIN, 0}, {err_, POLLIN, 0}};
    if (::poll(polled, 2, 100) < 0 && errno != EINTR) fail_with("poll");
    if (polled[0].revents != 0) read_available(out_, result_.out);
    if (polled[1].revents != 0) read_available(err_, result_.err);
    if (Clock::now() > deadline) {
      throw std::runtime_error("a process takes more than " + std::to_string(kTimeoutSeconds) +
                               " s; stdout: " + result_.out + "\nstderr: " + result_.err);
    }
  }
  return true;
}

bool Process::read_lines(size_t count) {
  return read_until([&] { return lines_of(result_.out).size() >= count; });
}

Finished Process::finish() {
  read_until([] { return false; });
  int status = 0;
  if (::waitpid(id_, &status, 0) != id_) fail_with("waitpid");
  reaped_ = true;
  result_.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return result_;
}

Finished run_process(const std::vector<std::string>& arguments, const ProcessOptions& options) {
  return Process(arguments, options).finish();
}

std::map<std::string, std::string> contents_of(const std::string& folder) {
  std::map<std::string, std::string> contents;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string path = entry.path().lexically_relative(folder).string();
    contents[path] = entry.is_directory() ? "/" : bytes_of_file(entry.path().string());
  }
  return contents;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (!in.eof()) lines.push_back(line);  // whole lines
  }
  return lines;
}

}  // namespace adjoint
