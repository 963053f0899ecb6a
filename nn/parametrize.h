// Parameters that are computed from others: weight norm, spectral norm, functions of your own.
//
//   struct Symmetric : nn::Module<Symmetric> {
//     Tensor forward(const Tensor& x) const { return triu(x) + transpose(triu(x, 1), 0, 1); }
//   };
//   nn::Linear layer(3, 3);
//   nn::utils::register_parametrization(layer, "weight", Symmetric());
//   nn::Sequential model(nn::utils::weight_norm(nn::Linear(4, 8)), nn::ReLU());
//
// As torch.nn.utils.parametrize: the layer reads the computed value, each time anew; what is
// trained, saved and cast are the originals, "parametrizations.weight.original" (or original0,
// original1, ... of several) and what the parametrization itself owns,
// "parametrizations.weight.0.". The slot that the weight had keeps the last original, so optimizers
// of a single one stay valid. A parametrization belongs to its slot: copies of the layer have their
// own, names that are tied share it.
#pragma once

#include <adjoint/nn/module.h>

#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace adjoint::nn {

namespace detail {

// A parametrization of any type.
struct ParametrizationStep {
  AnyModule module;
  Tensor (*compute)(const ModuleBase& module, std::span<const Tensor> originals);
  std::vector<Tensor> (*right_inverse)(const ModuleBase& module, const Tensor& value);
};

template <class P, size_t... I>
Tensor compute_from(const P& module, std::span<const Tensor> x, std::index_sequence<I...>) {
  if constexpr (kHasForward<P, decltype(x[I])...>) {
    return module(x[I]...);
  } else {
    fail("parametrization: ", module.type_name(), " computes nothing of ", sizeof...(I),
         " tensors, as many as its right_inverse gives; expected a forward of so many");
  }
}

template <class P>
Tensor compute(const ModuleBase& module, std::span<const Tensor> originals) {
  const auto& self = dynamic_cast<const P&>(module);
  switch (originals.size()) {
    case 1:
      return compute_from(self, originals, std::make_index_sequence<1>());
    case 2:
      return compute_from(self, originals, std::make_index_sequence<2>());
    case 3:
      return compute_from(self, originals, std::make_index_sequence<3>());
    default:
      fail("parametrization: ", module.type_name(), " has ", originals.size(),
           " originals; expected 1 to 3");
  }
}

template <class P>
std::vector<Tensor> right_inverse(const ModuleBase& module, const Tensor& value) {
  if constexpr (requires(const P& p) { p.right_inverse(value); }) {
    auto result = dynamic_cast<const P&>(module).right_inverse(value);
    std::vector<Tensor> originals;
    auto collect = [&originals](Tensor& x) { originals.push_back(x); };
    adjoint::detail::each_tensor(collect, result);
    return originals;
  } else {
    return {value};
  }
}

}  // namespace detail

// What computes one slot: parametrizations, the first of the originals, each next of the value
// before it.
class ParametrizationList : public Module<ParametrizationList> {
 public:
  // The value, of the last original: the slot's, which is not a member of this.
  Tensor forward(const Tensor& last) const;
  void members(Visitor& v) override;

  // The number of originals.
  size_t originals() const { return others_.size() + 1; }
  size_t size() const { return steps_.size(); }
  // Adds a parametrization to a slot that has this list; the first one says what is stored.
  void append(Slot& slot, detail::ParametrizationStep step, bool unsafe);

 private:
  void set_originals(Slot& slot, const std::vector<Tensor>& originals);
  Tensor value_of(const std::vector<Tensor>& originals) const;

  std::vector<Parameter> others_;  // all originals but the last
  std::vector<detail::ParametrizationStep> steps_;
};

// nullptr if it is not parametrized.
ParametrizationList* parametrization_of(const Slot& slot);

namespace utils {

struct ParametrizationOptions {
  bool unsafe = false;  // the value may have another shape or dtype than it had
};

namespace detail {
// The value of a parameter or buffer of the module's own.
Tensor value_of(ModuleBase& module, const std::string& name);
void add_parametrization(ModuleBase& module, const std::string& name,
                         nn::detail::ParametrizationStep step, bool unsafe);
}  // namespace detail

// From now on the parameter or buffer `name` of this module (not of one below it) is P's forward of
// what is stored. A P with a right_inverse, which gives one tensor or a pair, tuple or vector of up
// to three, says what is stored; forward takes as many. Without one it is the value itself. Several
// parametrizations of one parameter apply one after the other. Error where there is no such
// parameter; ShapeError or DTypeError, and nothing changes, where the value would not fit.
template <class P>
void register_parametrization(ModuleBase& module, const std::string& name, P parametrization,
                              const ParametrizationOptions& options = {}) {
  detail::add_parametrization(module, name,
                              {AnyModule(std::move(parametrization)), &nn::detail::compute<P>,
                               &nn::detail::right_inverse<P>},
                              options.unsafe);
}

// Whether this parameter, or without a name any of the module's own, is parametrized.
bool is_parametrized(const ModuleBase& module, const std::string& name = {});
// Makes it plain again, with the value it has now or, without leave_parametrized, the original one.
// The slot stays. Error where it is not parametrized; ConfigError for one of several originals.
void remove_parametrizations(ModuleBase& module, const std::string& name,
                             bool leave_parametrized = true);

}  // namespace utils

}  // namespace adjoint::nn
