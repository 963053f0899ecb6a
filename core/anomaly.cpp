#include <adjoint/core/anomaly.h>
#include <adjoint/core/error.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>

#include <algorithm>
#include <atomic>
#include <sstream>
#include <utility>

#include "core/autograd/chained_observer.h"

namespace adjoint {
namespace {

std::atomic<std::string (*)()> path_function{nullptr};

// "2 of 6 elements of shape (2, 3), the first at (0, 1)"; empty without NaN.
std::string nans_of(const Tensor& x) {
  if (!x.defined() || !is_floating_point(x.dtype())) return {};
  const NoGrad no_grad;
  const Tensor found = isnan(x);
  if (!any(found)) return {};
  const std::vector<uint8_t> each = found.to(DType::u8).to_vector<uint8_t>();
  const auto first = std::find(each.begin(), each.end(), 1) - each.begin();
  std::ostringstream text;
  text << std::count(each.begin(), each.end(), 1) << " of " << x.numel() << " elements of shape "
       << x.shape() << ", the first at " << unravel_index(first, x.shape());
  return text.str();
}

std::string where_forward_ran(const Node& node) {
  if (node.is_leaf() || node.extras == nullptr || node.extras->where.empty()) return {};
  return "; its forward ran in " + node.extras->where;
}

}  // namespace

namespace detail {
void set_module_path_function(std::string (*path)()) { path_function = path; }
std::string module_path_here() {
  std::string (*path)() = path_function;
  return path == nullptr ? std::string() : path();
}
}  // namespace detail

class DetectAnomaly::Watch final : public ChainedObserver {
 public:
  explicit Watch(const AnomalyOptions& options) : options_(options) {}

  void on_output(const Op& op, const Tensor& output) override {
    ChainedObserver::on_output(op, output);
    const Unobserved look;
    Node* node = output.impl()->node;
    const Node* running = running_node();
    if (node != nullptr && !node->is_leaf() && node->get_extras().where.empty()) {
      // What backward records belongs to the forward that it differentiates.
      node->extras->where = running == nullptr           ? detail::module_path_here()
                            : running->extras == nullptr ? std::string()
                                                         : running->extras->where;
    }
    if (options_.check_forward && running == nullptr) check_result(op, output);
  }

  void on_node(const Node& node, std::span<const Tensor> dy) override {
    ChainedObserver::on_node(node, dy);
    const Unobserved look;
    for (const Tensor& one : dy) {
      const std::string nans = nans_of(one);
      if (nans.empty()) continue;
      fail<AutogradError>(
          node.name, ": the gradient that reached it has NaN: ", nans, where_forward_ran(node),
          "; expected numbers; it was given to backward, made by a hook, or a sum of infinities");
    }
  }

  void on_gradient(const Node& node, int input, const Tensor& dx) override {
    ChainedObserver::on_gradient(node, input, dx);
    const Unobserved look;
    const std::string nans = nans_of(dx);
    if (nans.empty()) return;
    fail<AutogradError>(node.name, ": its backward gave NaN for input ", input, ": ", nans,
                        where_forward_ran(node),
                        "; expected numbers; the gradient that it was given had no NaN");
  }

 private:
  static void check_result(const Op& op, const Tensor& output) {
    const std::string nans = nans_of(output);
    if (nans.empty()) return;
    std::string inputs;
    for (int i = 0; i < op.input_count(); ++i) {
      if (nans_of(op.input(i)).empty()) continue;
      inputs += "; input " + std::to_string(i) + " has NaN, too";
    }
    op.check<AutogradError>(false, "its result has NaN: ", nans, inputs, "; expected numbers");
  }

  AnomalyOptions options_;
};

DetectAnomaly::DetectAnomaly(const AnomalyOptions& options)
    : watch_(std::make_unique<Watch>(options)) {}
DetectAnomaly::~DetectAnomaly() = default;

}  // namespace adjoint
