// Other programs as a test runs them: what they print, how they end, signals, a terminal.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace adjoint {

struct ProcessOptions {
  // Added to the environment of the test, from which ADJOINT_* (but ADJOINT_ISA) and NO_COLOR are
  // taken away.
  std::map<std::string, std::string> environment = {};
  std::string folder = {};       // where it runs; empty: where the test does
  std::string stdout_file = {};  // instead of being read
  int terminal_columns = 0;      // stderr is a terminal of this width
  uint64_t file_limit = 0;       // bytes that a file may have, as if the disk were full; 0: any
  bool traced = false;           // stopped before its first instruction, for a tracer
};

struct Finished {
  int status = 0;  // the exit status; of a signal, minus its number
  std::string out, err;
};

class Process {
 public:
  explicit Process(const std::vector<std::string>& arguments, const ProcessOptions& options = {});
  // Kills what still runs.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t id() const { return id_; }
  void signal(int number) const;
  // What it printed so far.
  const std::string& out() const { return result_.out; }
  const std::string& err() const { return result_.err; }

  // Reads until the condition holds; false where the process closed its streams before. Throws
  // after two minutes, with what was printed.
  bool read_until(const std::function<bool()>& condition);
  bool read_lines(size_t count);  // of stdout
  // Reads to the end.
  Finished finish();

 private:
  void read_available(int& fd, std::string& text);

  pid_t id_ = -1;
  int out_ = -1, err_ = -1;
  bool reaped_ = false;
  Finished result_;
};

Finished run_process(const std::vector<std::string>& arguments, const ProcessOptions& options = {});

// What lies in a folder: the bytes of each file by its path below it, and "/" for each folder.
std::map<std::string, std::string> contents_of(const std::string& folder);

std::vector<std::string> lines_of(const std::string& text);

}  // namespace adjoint
