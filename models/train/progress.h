// What a training shows on stderr: a bar that is redrawn on a terminal, plain lines elsewhere.
#pragma once

#include <adjoint/models/trainer.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace adjoint::train {

struct ProgressOptions {
  int64_t steps = 0;
  int64_t first_step = 0;  // where this process began
  bool live = false;       // a terminal: one line, redrawn at most ten times a second
  bool color = false;
  bool quiet = false;  // shows nothing but messages
  // Columns, where live: asked before each drawing, for a window may change.
  std::function<int()> width = [] { return 80; };
};

// "2:05", "1:00:00".
std::string duration(double seconds);

class Progress {
 public:
  explicit Progress(const ProgressOptions& options);
  // Leaves the last state of the bar on the screen.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void step(const models::StepReport& report);
  // A line of its own, above the bar.
  void message(const std::string& text);
  // Ends the bar, whose last state stays on the screen, and prints what is the last of all.
  void finish(const std::string& text);
  // What stands after the bar, in at most so many columns (0: any number): what does not fit is
  // left out field by field.
  std::string line(const models::StepReport& report, int columns) const;

 private:
  using Clock = std::chrono::steady_clock;
  double remaining(int64_t step) const;
  void draw(const models::StepReport& report);

  ProgressOptions options_;
  std::optional<double> val_loss_;
  std::optional<models::Metric> metric_;  // the first of the last validation
  Clock::time_point start_ = Clock::now(), last_draw_ = {};
  std::string drawn_;
};

}  // namespace adjoint::train
