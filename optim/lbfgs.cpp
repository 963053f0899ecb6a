#include <adjoint/core/autograd.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <adjoint/optim/lbfgs.h>

#include <algorithm>
#include <cmath>

#include "optim/common/checks.h"
#include "optim/common/sweep.h"

namespace adjoint::optim {
namespace {

double largest(const Tensor& x) { return norm(x, INFINITY).item(); }

}  // namespace

// A place along the direction.
struct Lbfgs::Point {
  double at = 0, loss = 0;
  Tensor gradient;
  double slope = 0;
};

void LbfgsOptions::check() const {
  check_lr(lr);
  check_range("Lbfgs", "max_iter", static_cast<double>(max_iter), 1, kNoLimit);
  check_range("Lbfgs", "max_eval", static_cast<double>(max_eval.value_or(1)), 1, kNoLimit);
  check_range("Lbfgs", "history_size", static_cast<double>(history_size), 1, kNoLimit);
}

Lbfgs::Lbfgs(std::vector<NamedSlot> slots, const LbfgsOptions& options)
    : OptimizerOf(std::move(slots), options) {}

void Lbfgs::step() {
  fail(
      "Lbfgs: step() without a closure; expected step(closure), which computes loss and gradients "
      "anew");
}

std::vector<Optimizer::Moment> Lbfgs::moments(size_t, const Tensor&) const { return {}; }
void Lbfgs::update(std::span<const Update>, double) {}

int64_t Lbfgs::numel() const {
  int64_t n = 0;
  for (const NamedSlot& s : slots()) n += s.slot->numel();
  return n;
}

DType Lbfgs::dtype() const {
  DType dtype = DType::f32;
  for (const NamedSlot& s : slots()) dtype = promote(dtype, computed_in(s.slot->dtype()));
  return dtype;
}

Tensor Lbfgs::flat_gradient() {
  const double scale = signed_scale(take_gradient_scale(), group_options(0).maximize);
  std::vector<Tensor> parts;
  for (const NamedSlot& s : slots()) {
    const Tensor g = s.slot->grad();
    parts.push_back(g.defined() ? contiguous(g.detach()).reshape({-1}).to(dtype())
                                : zeros({s.slot->numel()}, dtype()));
  }
  const Tensor flat = cat(parts);
  return scale == 1 ? flat : flat * scale;
}

Lbfgs::Value Lbfgs::evaluate(const std::function<Tensor()>& closure) {
  Value value;
  {
    const EnableGrad recorded;
    value.loss = closure().item();
  }
  if (group_options(0).maximize) value.loss = -value.loss;
  value.gradient = flat_gradient();
  ++history_.evaluations;
  return value;
}

void Lbfgs::move(const Tensor& direction, double length) const {
  int64_t at = 0;
  for (const NamedSlot& s : slots()) {
    const Tensor& p = s.slot->stored();
    const Tensor part =
        narrow(direction, 0, at, p.numel()).reshape(p.shape()).to(computed_in(p.dtype()));
    sweep(RuleUpdate<AddRule>{{p, kNoGradient, {&part}}, {.factor = length}});
    at += p.numel();
  }
}

// From the gradient's change since the last step, by the two loops of algorithm 7.4.
void Lbfgs::choose_direction(const Tensor& gradient) {
  History& h = history_;
  if (++h.iterations == 1) {
    h.direction = neg(gradient);
    return;
  }
  const Tensor y = gradient - h.gradient, s = h.direction * h.length;
  const double ys = dot(y, s).item();
  if (ys > 1e-10) {
    if (static_cast<int64_t>(h.steps.size()) == group_options(0).history_size) {
      h.gradients.pop_front();
      h.steps.pop_front();
      h.inverse.pop_front();
    }
    h.gradients.push_back(y);
    h.steps.push_back(s);
    h.inverse.push_back(1 / ys);
    h.scale = ys / dot(y, y).item();
  }
  const size_t n = h.steps.size();
  std::vector<double> alpha(n);
  Tensor q = neg(gradient);
  for (size_t i = n; i-- > 0;) {
    alpha[i] = dot(h.steps[i], q).item() * h.inverse[i];
    q = std::move(q) - h.gradients[i] * alpha[i];
  }
  q = std::move(q) * h.scale;
  for (size_t i = 0; i < n; ++i) {
    const double beta = dot(h.gradients[i], q).item() * h.inverse[i];
    q = std::move(q) + h.steps[i] * (alpha[i] - beta);
  }
  h.direction = q;
}

namespace {

// The least point of the cubic through two places with their slopes, within bounds (Nocedal and
// Wright, equation 3.59); their middle where there is none.
template <class Point>
double least_of_cubic(const Point& a, const Point& b, double low, double high) {
  const double d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.at - b.at);
  const double square = d1 * d1 - a.slope * b.slope;
  if (!(square >= 0)) return (low + high) / 2;
  const double d2 = std::sqrt(square);
  const Point &from = a.at <= b.at ? a : b, &to = a.at <= b.at ? b : a;
  const double least =
      to.at - (to.at - from.at) * ((to.slope + d2 - d1) / (to.slope - from.slope + 2 * d2));
  return std::min(std::max(least, low), high);
}

constexpr double kDecrease = 1e-4, kCurvature = 0.9;  // of the Wolfe conditions

}  // namespace

// A place with both Wolfe conditions, or the best one found with `most` steps. The parameters are
// where they were. `evaluations` are added to.
Lbfgs::Point Lbfgs::search(const std::function<Tensor()>& closure, const Point& start,
                           double length, int64_t most, int64_t& evaluations) {
  const Tensor& direction = history_.direction;
  const double extent = largest(direction), change = group_options(0).tolerance_change;
  std::vector<Tensor> origin;
  for (const NamedSlot& s : slots()) origin.push_back(s.slot->stored().detach().clone());
  const auto look = [&](double at) {
    move(direction, at);
    Value value = evaluate(closure);
    for (size_t i = 0; i < origin.size(); ++i) copy_(slots()[i].slot->stored(), origin[i]);
    ++evaluations;
    const double slope = dot(value.gradient, direction).item();
    return Point{at, value.loss, std::move(value.gradient), slope};
  };
  const auto decreases = [&](const Point& p) {
    return !(p.loss > start.loss + kDecrease * p.at * start.slope);
  };
  const auto is_flat = [&](const Point& p) {
    return std::abs(p.slope) <= -kCurvature * start.slope;
  };
  // Algorithm 3.5: two places with a good one between them.
  Point before = start, now = look(length);
  int64_t steps = 0;
  bool found = false;
  for (; steps < most; ++steps) {
    if (!decreases(now) || (steps > 1 && now.loss >= before.loss)) break;
    if (is_flat(now)) return now;
    if (now.slope >= 0) break;
    const double next =
        least_of_cubic(before, now, now.at + 0.01 * (now.at - before.at), now.at * 10);
    before = std::exchange(now, look(next));
  }
  if (steps == most) before = start;
  // Algorithm 3.6: narrowing.
  Point lower = std::move(before), higher = std::move(now);
  if (higher.loss < lower.loss) std::swap(lower, higher);
  bool close = false;  // the last one was near an end
  while (!found && steps < most) {
    const double left = std::min(lower.at, higher.at), right = std::max(lower.at, higher.at);
    if ((right - left) * extent < change) break;
    double at = least_of_cubic(lower, higher, left, right);
    const double margin = 0.1 * (right - left);
    if (std::min(right - at, at - left) < margin) {
      if (close || at >= right || at <= left) {
        at = std::abs(at - right) < std::abs(at - left) ? right - margin : left + margin;
        close = false;
      } else {
        close = true;
      }
    } else {
      close = false;
    }
    Point point = look(at);
    ++steps;
    if (!decreases(point) || point.loss >= lower.loss) {
      higher = std::move(point);
      if (higher.loss < lower.loss) std::swap(lower, higher);
      continue;
    }
    found = is_flat(point);
    if (!found && point.slope * (higher.at - lower.at) >= 0) higher = std::move(lower);
    lower = std::move(point);
  }
  return lower;
}

double Lbfgs::step(const std::function<Tensor()>& closure) {
  const NoGrad guard;
  const LbfgsOptions o = group_options(0);
  History& h = history_;
  const Value first = evaluate(closure);
  const double loss_before = o.maximize ? -first.loss : first.loss;
  const int64_t most = o.max_eval.value_or(o.max_iter * 5 / 4);
  Point now = {0, first.loss, first.gradient, 0};
  if (!(largest(now.gradient) > o.tolerance_grad)) return loss_before;
  int64_t evaluations = 1;
  for (int64_t i = 1;; ++i) {
    choose_direction(now.gradient);
    h.gradient = now.gradient;
    h.loss = now.loss;
    h.length = o.lr;
    if (h.iterations == 1) h.length *= std::min(1.0, 1 / norm(now.gradient, 1).item());
    now.slope = dot(now.gradient, h.direction).item();
    if (now.slope > -o.tolerance_change) break;
    if (o.line_search_fn == LineSearch::strong_wolfe) {
      now.at = 0;
      now = search(closure, now, h.length, most - evaluations, evaluations);
      h.length = now.at;
      move(h.direction, h.length);
    } else {
      move(h.direction, h.length);
      if (i < o.max_iter) {  // what nobody needs is not computed
        const Value value = evaluate(closure);
        now = {0, value.loss, value.gradient, 0};
        ++evaluations;
      }
    }
    const bool flat = largest(now.gradient) <= o.tolerance_grad;
    if (i == o.max_iter || evaluations >= most || flat) break;
    if (largest(h.direction) * std::abs(h.length) <= o.tolerance_change) break;
    if (std::abs(now.loss - h.loss) < o.tolerance_change) break;
  }
  return loss_before;
}

OptimizerState Lbfgs::state() const {
  OptimizerState state;
  const History& h = history_;
  if (h.iterations == 0) return state;
  const std::string name = "." + slots()[0].name;
  const auto put = [&](const char* kind, const Tensor& tensor) {
    state.tensors[kind + name] = tensor;
  };
  state.counts["step" + name] = h.iterations;
  put("func_evals", full({}, h.evaluations, DType::i64));
  put("d", h.direction.detach().clone());
  put("prev_flat_grad", h.gradient.detach().clone());
  put("t", full({}, h.length, DType::f64));
  put("prev_loss", full({}, h.loss, DType::f64));
  put("H_diag", full({}, h.scale, DType::f64));
  Tensor inverse = zeros({static_cast<int64_t>(h.inverse.size())}, DType::f64);
  std::copy(h.inverse.begin(), h.inverse.end(), inverse.mutable_data<double>());
  put("ro", inverse);
  const auto rows = [this](const std::deque<Tensor>& list) {
    return list.empty() ? zeros({0, numel()}, dtype())
                        : stack(std::vector<Tensor>(list.begin(), list.end()));
  };
  const NoGrad guard;
  put("old_dirs", rows(h.gradients));
  put("old_stps", rows(h.steps));
  return state;
}

void Lbfgs::load_state(const OptimizerState& state) {
  StateReader reader(state);
  const std::string name = "." + slots()[0].name;
  History h;
  if (const int64_t* steps = reader.count("step" + name)) {
    const auto number = [&](const char* kind) {
      const Tensor x = reader.tensor(kind + name, {}, DType::f64);
      return x.defined() ? x.item() : 0;
    };
    h.iterations = *steps;
    const Tensor evaluations = reader.tensor("func_evals" + name, {}, DType::i64);
    if (evaluations.defined()) h.evaluations = evaluations.item<int64_t>();
    h.direction = reader.tensor("d" + name, {numel()}, dtype());
    h.gradient = reader.tensor("prev_flat_grad" + name, {numel()}, dtype());
    h.length = number("t");
    h.loss = number("prev_loss");
    h.scale = number("H_diag");
    const Tensor inverse = reader.tensor("ro" + name, {-1}, DType::f64);
    const int64_t n = inverse.defined() ? inverse.numel() : 0;
    const Tensor gradients = reader.tensor("old_dirs" + name, {n, numel()}, dtype());
    const Tensor steps_made = reader.tensor("old_stps" + name, {n, numel()}, dtype());
    reader.finish();
    for (int64_t i = 0; i < n; ++i) {
      h.gradients.push_back(gradients.select(0, i).clone());
      h.steps.push_back(steps_made.select(0, i).clone());
      h.inverse.push_back(inverse.data<double>()[i]);
    }
  }
  reader.finish();
  history_ = std::move(h);
}

}  // namespace adjoint::optim
