#include "models/train/progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>

namespace adjoint::train {
namespace {

constexpr double kRedrawSeconds = 0.1, kLineSeconds = 5;

std::string number(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}

}  // namespace

std::string duration(double seconds) {
  const auto total = static_cast<long long>(std::llround(std::clamp(seconds, 0.0, 1e9)));
  char text[64];
  if (total >= 3600) {
    std::snprintf(text, sizeof(text), "%lld:%02lld:%02lld", total / 3600, total / 60 % 60,
                  total % 60);
  } else {
    std::snprintf(text, sizeof(text), "%lld:%02lld", total / 60, total % 60);
  }
  return text;
}

Progress::Progress(const ProgressOptions& options) : options_(options) {}

Progress::~Progress() {
  if (!drawn_.empty()) std::cerr << "\n";
}

double Progress::remaining(int64_t step) const {
  const auto made = static_cast<double>(std::max<int64_t>(step - options_.first_step, 1));
  const double elapsed = std::chrono::duration<double>(Clock::now() - start_).count();
  return elapsed / made * static_cast<double>(options_.steps - step);
}

std::string Progress::line(const models::StepReport& report) const {
  const std::string total = std::to_string(options_.steps);
  std::string text = "step " + std::to_string(report.step) + "/" + total;
  text += "  loss " + number("%.4f", report.train_loss);
  if (val_loss_) text += "  val " + number("%.4f", *val_loss_);
  text += "  lr " + number("%.2e", report.lr) + "  norm " + number("%.2f", report.grad_norm);
  text += "  " + number("%.0f", report.tokens_per_second) + " tok/s";
  text += "  ETA " + duration(remaining(report.step));
  return text;
}

void Progress::step(const models::StepReport& report) {
  if (report.val_loss) val_loss_ = report.val_loss;
  if (options_.quiet) return;
  const Clock::time_point now = Clock::now();
  const double since = std::chrono::duration<double>(now - last_draw_).count();
  const bool must = report.val_loss.has_value() || report.step == options_.steps ||
                    report.step == options_.first_step + 1;
  if (!options_.live) {
    if (!must && since < kLineSeconds) return;
    last_draw_ = now;
    std::cerr << line(report) << "\n";
    return;
  }
  if (!must && since < kRedrawSeconds) return;
  last_draw_ = now;
  draw(report.step, line(report));
}

// The line, after a bar in what room the terminal has left.
void Progress::draw(int64_t step, const std::string& text) {
  const int width = options_.width();
  const std::string shown = text.substr(0, static_cast<size_t>(std::max(width - 1, 1)));
  const int room = std::min(width - 4 - static_cast<int>(shown.size()), 24);
  std::string bar;
  if (room >= 8) {
    const auto full = static_cast<int>(step * room / std::max<int64_t>(options_.steps, 1));
    bar = "[" + std::string(static_cast<size_t>(full), '=') +
          std::string(static_cast<size_t>(room - full), ' ') + "] ";
    if (options_.color) bar = "\x1b[32m" + bar + "\x1b[0m";
  }
  std::cerr << "\r\x1b[K" << bar << shown << std::flush;
  drawn_ = bar + shown;
}

void Progress::message(const std::string& text) {
  if (drawn_.empty()) {
    std::cerr << text << "\n";
    return;
  }
  std::cerr << "\r\x1b[K" << text << "\n" << drawn_ << std::flush;
}

}  // namespace adjoint::train
