// L-BFGS: a quasi-Newton method for losses that are computed whole, with a line search.
//
//   optim::LBFGS optimizer(model.parameters(), {.line_search_fn =
//   optim::LineSearch::strong_wolfe}); optimizer.step([&] {
//     optimizer.zero_grad();
//     const Tensor loss = mse_loss(model(x), y);
//     loss.backward();
//     return loss;
//   });
#pragma once

#include <adjoint/optim/optimizer.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace adjoint::optim {

// strong_wolfe: Nocedal and Wright 2006, algorithms 3.5 and 3.6, with cubic interpolation.
enum class LineSearch : uint8_t { none, strong_wolfe };

// Liu and Nocedal 1989 (Nocedal and Wright 2006, algorithm 7.4), as torch.optim.LBFGS. One group.
struct LbfgsOptions {
  double lr = 1;
  int64_t max_iter = 20;                 // of a step
  std::optional<int64_t> max_eval = {};  // of a step; max_iter * 5 / 4
  double tolerance_grad = 1e-7;          // the largest element
  double tolerance_change = 1e-9;
  int64_t history_size = 100;
  LineSearch line_search_fn = LineSearch::none;
  bool maximize = false;
  void check() const;
};

// Keeps 2 history_size + 3 vectors as long as all parameters together.
class Lbfgs final : public OptimizerOf<LbfgsOptions> {
 public:
  explicit Lbfgs(std::vector<NamedSlot> slots, const LbfgsOptions& options = {});

  // Error: it needs the closure.
  void step() override;
  // Up to max_iter iterations; returns the loss before. A parameter without gradient counts as one
  // of zeros. Where the closure throws, the parameters may be those of the line search.
  double step(const std::function<Tensor()>& closure) override;

  // Under the name of the first parameter, as PyTorch has it.
  OptimizerState state() const override;
  void load_state(const OptimizerState& state) override;

 private:
  // The loss and its gradient, all parameters in one vector.
  struct Value {
    double loss = 0;
    Tensor gradient;
  };
  struct Point;
  struct History {
    std::deque<Tensor> gradients, steps;  // their changes
    std::deque<double> inverse;           // 1 / (y s)
    double scale = 1;                     // of the first Hessian
    Tensor direction, gradient;
    double length = 0, loss = 0;
    int64_t iterations = 0, evaluations = 0;
  };

  std::vector<Moment> moments(size_t group, const Tensor& parameter) const override;
  void update(std::span<const Update> updates, double gradient_scale) override;
  Value evaluate(const std::function<Tensor()>& closure);
  Tensor flat_gradient();
  void move(const Tensor& direction, double length) const;
  void choose_direction(const Tensor& gradient);
  Point search(const std::function<Tensor()>& closure, const Point& start, double length,
               int64_t most, int64_t& evaluations);
  int64_t numel() const;
  DType dtype() const;

  History history_;
};
using LBFGS = Lbfgs;

}  // namespace adjoint::optim
