#include "models/train/progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <vector>

namespace adjoint::train {
namespace {

constexpr double kRedrawSeconds = 0.1, kLineSeconds = 5;
constexpr int kBarColumns = 10, kMakesRoom = 4;

std::string number(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}

// "870", "14.3k", "2.1M".
std::string speed(double value) {
  if (value < 999.5) return number("%.0f", value);
  return value < 999'950 ? number("%.1fk", value / 1e3) : number("%.1fM", value / 1e6);
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

Progress::~Progress() { finish(""); }

double Progress::remaining(int64_t step) const {
  const auto made = static_cast<double>(std::max<int64_t>(step - options_.first_step, 1));
  const double elapsed = std::chrono::duration<double>(Clock::now() - start_).count();
  return elapsed / made * static_cast<double>(options_.steps - step);
}

// Fields that do not fit are left out whole, in this order: norm, lr, val, speed, ETA, loss. The
// first three make room for the bar too.
std::string Progress::line(const models::StepReport& report, int columns) const {
  struct Field {
    std::string text;
    int rank;  // the highest goes first
  };
  std::vector<Field> fields = {
      {"step " + std::to_string(report.step) + "/" + std::to_string(options_.steps), 0},
      {"loss " + number("%.4f", report.train_loss), 1}};
  if (val_loss_) fields.push_back({"val " + number("%.4f", *val_loss_), kMakesRoom});
  if (metric_) fields.push_back({metric_->name + number(" %.4f", metric_->value), kMakesRoom});
  fields.push_back({"lr " + number("%.2e", report.lr), kMakesRoom + 1});
  fields.push_back({"norm " + number("%.2f", report.grad_norm), kMakesRoom + 2});
  fields.push_back(
      {speed(report.per_second) + (report.unit == "tokens" ? " tok" : " " + report.unit) + "/s",
       3});
  fields.push_back({"ETA " + duration(remaining(report.step)), 2});
  const auto joined = [&] {
    std::string text;
    for (const Field& field : fields) text += (text.empty() ? "" : "  ") + field.text;
    return text;
  };
  std::string text = joined();
  while (columns > 0 && !fields.empty()) {
    const auto last = std::max_element(
        fields.begin(), fields.end(), [](const auto& x, const auto& y) { return x.rank < y.rank; });
    const int bar = last->rank >= kMakesRoom ? kBarColumns : 0;
    if (static_cast<int>(text.size()) + bar <= columns) break;
    fields.erase(last);
    text = joined();
  }
  return text;
}

void Progress::step(const models::StepReport& report) {
  if (report.val_loss) val_loss_ = report.val_loss;
  if (!report.metrics.empty()) {
    metric_ = report.metrics.front();
    if (metric_->name.starts_with("val_")) metric_->name.erase(0, 4);
  }
  if (options_.quiet) return;
  const Clock::time_point now = Clock::now();
  const double since = std::chrono::duration<double>(now - last_draw_).count();
  const bool must = report.val_loss.has_value() || report.step == options_.steps ||
                    report.step == options_.first_step + 1;
  if (!options_.live) {
    if (!must && since < kLineSeconds) return;
    last_draw_ = now;
    std::cerr << line(report, 0) << "\n";
    return;
  }
  if (!must && since < kRedrawSeconds) return;
  last_draw_ = now;
  draw(report);
}

// The line, after a bar in what room the terminal has left.
void Progress::draw(const models::StepReport& report) {
  const int columns = std::max(options_.width() - 1, 1);  // in the last one a terminal may wrap
  const std::string text = line(report, columns);
  constexpr int kFrame = 3;  // "[] "
  const int room = std::min(columns - kFrame - static_cast<int>(text.size()), 24);
  std::string bar;
  if (room >= 5) {
    const auto full = static_cast<int>(report.step * room / std::max<int64_t>(options_.steps, 1));
    bar = "[" + std::string(static_cast<size_t>(full), '=') +
          std::string(static_cast<size_t>(room - full), ' ') + "] ";
    if (options_.color) bar = "\x1b[32m" + bar + "\x1b[0m";
  }
  drawn_ = bar + text;
  std::cerr << "\r\x1b[K" << drawn_ << std::flush;
}

void Progress::message(const std::string& text) {
  if (!drawn_.empty()) std::cerr << "\r\x1b[K";
  std::cerr << text << "\n" << drawn_ << std::flush;
}

void Progress::finish(const std::string& text) {
  if (!drawn_.empty()) std::cerr << "\n";
  drawn_.clear();
  if (!text.empty()) std::cerr << text << "\n";
}

}  // namespace adjoint::train
