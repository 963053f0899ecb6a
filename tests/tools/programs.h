// What tests of the real programs share: a folder, a text, tiny trainings.
#pragma once

#include <adjoint/core/json.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tests/temporary_folder.h"
#include "tests/tools/process.h"

namespace adjoint {

using Words = std::vector<std::string>;

inline Words operator+(Words a, const Words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// Whether tests may take minutes.
inline bool long_tests() {
  const char* value = std::getenv("ADJOINT_TEST_LONG");
  return value != nullptr && std::string(value) == "1";
}

// In memory where the system has such a folder: thousands of small checkpoints are synced here, and
// what a killed process leaves does not depend on the disk. $TMPDIR has the last word.
inline std::filesystem::path quick_folder() {
  const char* memory = "/dev/shm";
  const bool there = std::getenv("TMPDIR") == nullptr && ::access(memory, W_OK | X_OK) == 0;
  return there ? memory : std::filesystem::temp_directory_path();
}

class Programs : public testing::Test {
 protected:
  Programs() : folder_(quick_folder()) { folder_.write("text", some_text(6000)); }

  // Words in an order that no model knows, from a linear congruential generator.
  static std::string some_text(size_t length) {
    static const Words words = {"a",    "river",  "runs", "on",  "the",
                                "grey", "stone,", "by\n", "moss"};
    std::string text;
    for (uint32_t x = 7; text.size() < length;) {
      x = x * 1664525 + 1013904223;
      text += words[(x >> 16) % words.size()] + " ";
    }
    return text.substr(0, length);
  }

  std::string path(const std::string& name) const { return folder_.path(name); }

  // A training of milliseconds; what comes after wins.
  Words tiny(const Words& more = {}) const {
    return Words{ADJOINT_TRAIN_GPT,
                 "--data",
                 path("text"),
                 "--n-layer",
                 "1",
                 "--n-head",
                 "2",
                 "--n-embd",
                 "8",
                 "--seq-len",
                 "8",
                 "--batch-size",
                 "2",
                 "--steps",
                 "12",
                 "--out",
                 path("run")} +
           more;
  }
  Finished train(const Words& more = {}, const ProcessOptions& options = {}) const {
    return run_process(tiny(more), options);
  }
  Finished adjoint(const Words& arguments, const ProcessOptions& options = {}) const {
    return run_process(Words{ADJOINT_CLI} + arguments, options);
  }

  // A training program by its name; one that trains into the folder's "run".
  static std::string program(const std::string& name) {
    return (std::filesystem::path(ADJOINT_TRAIN_GPT).parent_path() / name).string();
  }
  Finished start(const std::string& name, const Words& more) const {
    return run_process(Words{program(name), "--threads", "1", "--out", path("run")} + more);
  }

  // metrics.jsonl of a run.
  std::vector<Json> lines_in(const std::string& run) const { return metrics_lines(path(run)); }
  // The same without the speed.
  std::vector<std::string> timeless(const std::string& run) const { return metrics_of(path(run)); }
  static std::vector<std::string> metrics_of(const std::string& path_of_run) {
    std::vector<std::string> lines;
    for (Json line : metrics_lines(path_of_run)) {
      for (const char* speed : {"samples_per_second", "tokens_per_second"}) {
        if (line.contains(speed)) line[speed] = 0;
      }
      lines.push_back(line.dump());
    }
    return lines;
  }

  TemporaryFolder folder_;

 private:
  static std::vector<Json> metrics_lines(const std::string& path_of_run) {
    std::vector<Json> lines;
    for (const std::string& line : lines_of(bytes_of_file(path_of_run + "/metrics.jsonl"))) {
      lines.push_back(Json::parse(line));
    }
    return lines;
  }
};

// The last column of a program's first row in models/README.md that has one: by which factor its
// loss falls, and which loss where that is said.
struct Promise {
  double factor = 0;
  std::string loss;
};
inline Promise promise_of(const std::string& program) {
  std::ifstream file(ADJOINT_SOURCE_DIR "/models/README.md");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("| `" + program + "` |")) continue;
    line = line.substr(0, line.rfind('|'));
    std::istringstream cell(line.substr(line.rfind('|') + 1));
    Promise promise;
    cell >> promise.factor >> promise.loss;
    if (promise.factor > 0) return promise;
  }
  return {};
}

}  // namespace adjoint
