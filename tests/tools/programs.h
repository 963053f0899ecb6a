// What tests of the real programs share: a folder, a text, tiny trainings.
#pragma once

#include <adjoint/core/json.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>
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

  // metrics.jsonl without the speed.
  static std::vector<std::string> metrics_of(const std::string& run) {
    std::vector<std::string> lines;
    for (const std::string& text : lines_of(bytes_of_file(run + "/metrics.jsonl"))) {
      Json line = Json::parse(text);
      line["tokens_per_second"] = 0;
      lines.push_back(line.dump());
    }
    return lines;
  }

  TemporaryFolder folder_;
};

}  // namespace adjoint
