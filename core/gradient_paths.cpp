#include <adjoint/core/anomaly.h>
#include <adjoint/core/gradient_paths.h>

#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <utility>

#include "core/autograd/chained_observer.h"

namespace adjoint {
namespace {

using Leaves = std::vector<size_t>;  // sorted

Leaves united(const Leaves& a, const Leaves& b) {
  Leaves all;
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(all));
  return all;
}

}  // namespace

std::string to_string(const PathEnd& end) {
  const std::string op = "'" + end.op + "'" + (end.module.empty() ? "" : " in " + end.module);
  switch (end.kind) {
    case PathEnd::Kind::no_gradient:
      return "ends at " + op + ", whose result has no gradient";
    case PathEnd::Kind::no_grad_mode:
      return "ends at " + op + ", which ran under NoGrad";
    case PathEnd::Kind::detached:
      return "ends at a detached tensor, which " + op + " read";
    case PathEnd::Kind::backward:
      return "ends at " + op + ", whose backward gave no gradient";
    case PathEnd::Kind::unreached:
      break;
  }
  return "leads to the result of " + op + ", which backward did not reach";
}

class GradientPaths::Watch final : public ChainedObserver {
 public:
  explicit Watch(const std::vector<Tensor>& leaves)
      : leaves_(leaves), used_(leaves.size(), false), ends_(leaves.size()) {
    for (size_t i = 0; i < leaves.size(); ++i) {
      if (leaves[i].impl()->node != nullptr) by_node_[leaves[i].impl()->node] = i;
    }
  }

  void on_begin(const Op& op) override {
    ChainedObserver::on_begin(op);
    if (depth_++ > 0 || running_node() != nullptr) return;
    inputs_.assign(static_cast<size_t>(op.input_count()), {});
    reached_.clear();
    outputs_ = live_outputs_ = 0;
    for (int i = 0; i < op.input_count(); ++i) read(op, i);
  }

  void on_output(const Op& op, const Tensor& output) override {
    ChainedObserver::on_output(op, output);
    if (depth_ != 1 || running_node() != nullptr || reached_.empty()) return;
    ++outputs_;
    if (!wants_grad(output) || output.is_inference()) return;
    ++live_outputs_;
    results_[output.version()] = {reached_, op.name(), detail::module_path_here(), ++clock_};
    nodes_[output.impl()->node] = {op.name(), detail::module_path_here(), inputs_};
  }

  void on_end(const Op& op) override {
    ChainedObserver::on_end(op);
    if (--depth_ > 0 || running_node() != nullptr || outputs_ == 0 || live_outputs_ > 0) return;
    note(reached_, grad_enabled() ? PathEnd::Kind::no_gradient : PathEnd::Kind::no_grad_mode,
         op.name(), detail::module_path_here());
    outputs_ = 0;
  }

  void on_gradient(const Node& node, int input, const Tensor& dx) override {
    ChainedObserver::on_gradient(node, input, dx);
    const auto found = nodes_.find(&node);
    if (dx.defined() || found == nodes_.end() || found->second.op != node.name) return;
    const Recorded& recorded = found->second;
    if (static_cast<size_t>(input) >= recorded.inputs.size()) return;
    note(recorded.inputs[static_cast<size_t>(input)], PathEnd::Kind::backward, node.name,
         recorded.module);
  }

  bool used(size_t i) const { return used_[i]; }

  std::vector<PathEnd> ends(size_t i) const {
    std::vector<PathEnd> all = ends_[i];
    std::vector<const Result*> open;
    for (const auto& [version, result] : results_) {
      if (result.used || !std::binary_search(result.leaves.begin(), result.leaves.end(), i))
        continue;
      open.push_back(&result);
    }
    std::sort(open.begin(), open.end(),
              [](const Result* a, const Result* b) { return a->time < b->time; });
    for (const Result* result : open) {
      all.push_back({PathEnd::Kind::unreached, result->op, result->module});
    }
    return all;
  }

 private:
  struct Result {
    Leaves leaves;
    const char* op;
    std::string module;
    uint64_t time;
    bool used = false;
  };

  struct Recorded {
    const char* op;  // an address may have served a node before
    std::string module;
    std::vector<Leaves> inputs;
  };

  // What leaves reach input i of op by a history, and what reached it before it was detached.
  void read(const Op& op, int i) {
    const Tensor& x = op.input(i);
    if (!x.defined() || x.is_inference()) return;
    Leaves leaves;
    if (const auto leaf = by_node_.find(x.impl()->node); leaf != by_node_.end()) {
      leaves = {leaf->second};
      used_[leaf->second] = true;
    } else if (const auto result = results_.find(x.version()); result != results_.end()) {
      leaves = result->second.leaves;
      if (wants_grad(x)) result->second.used = true;
    } else {
      leaves = with_version(x.version());
    }
    if (wants_grad(x)) {
      reached_ = united(reached_, leaves);
      inputs_[static_cast<size_t>(i)] = std::move(leaves);
    } else {
      note(leaves, PathEnd::Kind::detached, op.name(), detail::module_path_here());
    }
  }

  // The leaves that have these elements: x may be one that was detached.
  Leaves with_version(uint64_t version) {
    Leaves found;
    for (size_t i = 0; i < leaves_.size(); ++i) {
      if (leaves_[i].is_inference() || leaves_[i].version() != version) continue;
      found.push_back(i);
      used_[i] = true;
    }
    return found;
  }

  void note(const Leaves& leaves, PathEnd::Kind kind, const char* op, const std::string& module) {
    const PathEnd end{kind, op, module};
    for (const size_t i : leaves) {
      std::vector<PathEnd>& ends = ends_[i];
      if (std::find(ends.begin(), ends.end(), end) == ends.end()) ends.push_back(end);
    }
  }

  std::vector<Tensor> leaves_;
  std::unordered_map<const Node*, size_t> by_node_;
  std::unordered_map<uint64_t, Result> results_;  // by version: no other elements ever have it
  std::unordered_map<const Node*, Recorded> nodes_;
  std::vector<bool> used_;
  std::vector<std::vector<PathEnd>> ends_;
  uint64_t clock_ = 0;
  // Of the outermost operator that runs; those within it are its own matter.
  int depth_ = 0, outputs_ = 0, live_outputs_ = 0;
  Leaves reached_;
  std::vector<Leaves> inputs_;
};

GradientPaths::GradientPaths(const std::vector<Tensor>& leaves)
    : watch_(std::make_unique<Watch>(leaves)) {}
GradientPaths::~GradientPaths() = default;

bool GradientPaths::used(size_t i) const { return watch_->used(i); }
std::vector<PathEnd> GradientPaths::ends(size_t i) const { return watch_->ends(i); }

}  // namespace adjoint
