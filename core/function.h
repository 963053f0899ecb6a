// Operators of your own: a forward, and its derivative by hand.
//
//   struct Scaled : Function<Scaled, ScaledState> {          // struct ScaledState { double by; };
//     static Tensor forward(Context& context, const Tensor& x, double by) {
//       context.state.by = by;
//       const Tensor y = exp(x * by);
//       context.save_for_backward({y});
//       return y;
//     }
//     static std::vector<Tensor> backward(Context& context, const std::vector<Tensor>& dy) {
//       return {dy[0] * context.saved(0) * context.state.by};
//     }
//   };
//   const Tensor y = Scaled::apply(x, 0.5);
//
// As torch.autograd.Function. forward runs once, without recording; it takes tensors, vectors of
// tensors and anything else, and returns a tensor or a vector, pair or tuple of them, none of which
// may have been written over an input. backward gets one gradient for each output and returns one
// for each tensor that forward took (not for its other arguments), in their order; an undefined one
// where there is none. Under create_graph it is recorded: a backward of recorded operators can be
// differentiated again, to any order. One that cannot says so:
//
//     static constexpr bool once_differentiable = true;
//
// Threads: as for the operators that forward and backward call. One thread at a time runs the
// backward of one call.
#pragma once

#include <adjoint/core/tensor.h>
#include <adjoint/core/tensor_parts.h>
#include <adjoint/core/type_name.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace adjoint {

namespace detail {
struct SavedForFunction;
struct FunctionCall;
}  // namespace detail

// What forward hands on to backward: one object a call.
class FunctionContext {
 public:
  // Called in forward, once: what backward will ask for by saved(). Inputs and outputs keep their
  // history. Anything else (a result on the way) has none: backward can use it, but cannot be
  // differentiated through it: return it as an output, or compute it again in backward. A constant
  // is better kept in the state.
  void save_for_backward(std::vector<Tensor> tensors);
  // Called in forward: no gradient flows to this output. Outputs of integers and bools never get
  // one.
  void mark_non_differentiable(const Tensor& output);
  // Called in forward: whether backward gets zeros (by default), or an undefined tensor, for an
  // output on which nothing depends.
  void set_materialize_grads(bool materialize) { materialize_ = materialize; }
  // Whether a gradient is wanted for the i-th tensor that forward takes. IndexError.
  bool needs_input_grad(size_t i) const;

  // Called in backward: the i-th tensor that was saved; all of them. IndexError, or AutogradError
  // where its elements have changed since, or where backward is recorded and the tensor's own
  // derivative is not known.
  Tensor saved(size_t i) const;
  std::vector<Tensor> saved() const;

 private:
  friend struct detail::FunctionCall;
  std::vector<Tensor> to_save_, without_gradient_;
  std::vector<bool> needs_;
  std::shared_ptr<detail::SavedForFunction> saved_;
  bool materialize_ = true;
};

namespace detail {

template <class State>
struct ContextWithState : FunctionContext {
  State state{};  // whatever else forward and backward share
};

// One call of a function, without its types.
struct FunctionCall {
  const char* name;
  std::vector<Tensor> inputs;
  FunctionContext& context;
  bool once_differentiable;

  // Runs forward, which returns its tensors, and records backward; returns the outputs.
  std::vector<Tensor> run(const std::function<std::vector<Tensor>()>& forward,
                          std::function<std::vector<Tensor>(const std::vector<Tensor>&)> backward);
};

// Parameters and the like stand for their tensor.
template <class T>
inline constexpr bool kStandsForTensor =
    std::is_convertible_v<const std::remove_cvref_t<T>&, Tensor>;

template <class T>
void collect_inputs(std::vector<Tensor>& inputs, const T& argument) {
  if constexpr (kStandsForTensor<T>) {
    inputs.push_back(argument);
  } else if constexpr (std::is_same_v<T, std::vector<Tensor>>) {
    inputs.insert(inputs.end(), argument.begin(), argument.end());
  }
}

// The argument; where it stands for a tensor, the one that was collected, which is computed once.
template <class T>
decltype(auto) as_collected(const std::vector<Tensor>& inputs, size_t& next, const T& argument) {
  if constexpr (kStandsForTensor<T>) {
    return (inputs[next++]);
  } else {
    if constexpr (std::is_same_v<T, std::vector<Tensor>>) next += argument.size();
    return (argument);
  }
}

}  // namespace detail

// The base of your function. State, if any, is default-constructible: the type of context.state.
template <class Self, class State = void>
class Function {
 public:
  using Context =
      typename std::conditional_t<std::is_void_v<State>, std::type_identity<FunctionContext>,
                                  std::type_identity<detail::ContextWithState<State>>>::type;

  // Calls forward and records backward. What it throws, and what backward throws later, names the
  // function by its type.
  template <class... Args>
  static auto apply(const Args&... args) {
    static const std::string name = type_name(typeid(Self));
    std::vector<Tensor> inputs;
    (detail::collect_inputs(inputs, args), ...);
    const auto context = std::make_shared<Context>();
    detail::FunctionCall call{name.c_str(), inputs, *context, differentiable_once()};
    size_t next = 0;
    // In braces, so that the arguments are evaluated from left to right.
    const std::tuple<decltype(detail::as_collected(inputs, next, args))...> arguments{
        detail::as_collected(inputs, next, args)...};
    const auto forward = [&arguments, &context] {
      return std::apply(
          [&context](const auto&... argument) { return Self::forward(*context, argument...); },
          arguments);
    };
    std::optional<decltype(forward())> result;
    std::vector<Tensor> outputs = call.run(
        [&] {
          result.emplace(forward());
          std::vector<Tensor> tensors;
          auto collect = [&tensors](Tensor& y) { tensors.push_back(y); };
          detail::each_tensor(collect, *result);
          return tensors;
        },
        [context](const std::vector<Tensor>& dy) { return Self::backward(*context, dy); });
    next = 0;
    auto write_back = [&outputs, &next](Tensor& y) { y = std::move(outputs[next++]); };
    detail::each_tensor(write_back, *result);
    return std::move(*result);
  }

 private:
  static constexpr bool differentiable_once() {
    if constexpr (requires { Self::once_differentiable; }) {
      return Self::once_differentiable;
    } else {
      return false;
    }
  }
};

}  // namespace adjoint
