#include <adjoint/core/error.h>
#include <adjoint/optim/averaging.h>
#include <adjoint/optim/lr_range_test.h>

#include <algorithm>
#include <cmath>

namespace adjoint::optim {
namespace {

// What the test changes, put back when it ends.
class Before {
 public:
  Before(Optimizer& optimizer, std::vector<NamedSlot> slots)
      : optimizer_(optimizer), weights_(std::move(slots)), state_(optimizer.state()) {
    for (size_t g = 0; g < optimizer.group_count(); ++g) rates_.push_back(optimizer.lr(g));
  }
  ~Before() {
    weights_.restore();
    optimizer_.load_state(state_);
    for (size_t g = 0; g < rates_.size(); ++g) optimizer_.set_lr(g, rates_[g]);
    optimizer_.zero_grad();
  }
  Before(const Before&) = delete;
  Before& operator=(const Before&) = delete;

 private:
  Optimizer& optimizer_;
  SavedWeights weights_;
  OptimizerState state_;
  std::vector<double> rates_;
};

void check_options(const LrRangeTestOptions& o) {
  check<ConfigError>(0 < o.start_lr && o.start_lr < o.end_lr, "lr_range_test: from ", o.start_lr,
                     " to ", o.end_lr, "; expected 0 < start_lr < end_lr");
  check<ConfigError>(o.num_iter >= 2, "lr_range_test: num_iter: ", o.num_iter,
                     "; expected 2 or more");
  check<ConfigError>(0 < o.smooth_f && o.smooth_f <= 1, "lr_range_test: smooth_f: ", o.smooth_f,
                     "; expected a value in (0, 1]");
  check<ConfigError>(o.diverge_th > 1, "lr_range_test: diverge_th: ", o.diverge_th,
                     "; expected a value above 1");
}

double rate_at(const LrRangeTestOptions& o, int64_t i) {
  const double part = static_cast<double>(i) / static_cast<double>(o.num_iter - 1);
  return o.exponential ? o.start_lr * std::pow(o.end_lr / o.start_lr, part)
                       : o.start_lr + (o.end_lr - o.start_lr) * part;
}

// Where the loss falls most from the step before to the step after.
void find_rates(LrRangeTest& found) {
  double steepest = 0, least = INFINITY;
  for (size_t i = 0; i < found.loss.size(); ++i) {
    if (found.loss[i] < least) {
      least = found.loss[i];
      found.least_lr = found.lr[i];
    }
    if (i == 0 || i + 1 == found.loss.size()) continue;
    const double slope = found.loss[i + 1] - found.loss[i - 1];
    if (slope < steepest) {
      steepest = slope;
      found.steepest_lr = found.lr[i];
    }
  }
}

}  // namespace

LrRangeTest lr_range_test(Optimizer& optimizer, const std::function<double(int64_t)>& step,
                          const LrRangeTestOptions& options, const std::vector<NamedSlot>& also) {
  check_options(options);
  std::vector<NamedSlot> slots = optimizer.slots();
  slots.insert(slots.end(), also.begin(), also.end());
  const Before before(optimizer, std::move(slots));
  LrRangeTest found;
  double least = INFINITY;
  optimizer.zero_grad();
  for (int64_t i = 0; i < options.num_iter; ++i) {
    const double rate = rate_at(options, i);
    optimizer.set_lr(rate);
    double loss = step(i);
    if (i > 0) loss = options.smooth_f * loss + (1 - options.smooth_f) * found.loss.back();
    found.diverged = !std::isfinite(loss) || (i > 0 && loss > options.diverge_th * least);
    if (found.diverged) break;
    least = std::min(least, loss);
    found.lr.push_back(rate);
    found.loss.push_back(loss);
    optimizer.step();
    optimizer.zero_grad();
  }
  find_rates(found);
  return found;
}

}  // namespace adjoint::optim
