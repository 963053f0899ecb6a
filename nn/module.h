// Modules: values that own parameters and have a forward.
//
//   struct Mlp : nn::Module<Mlp> {
//     nn::Linear fc1, fc2;
//     Mlp(int64_t in, int64_t hidden, int64_t out) : fc1(in, hidden), fc2(hidden, out) {}
//     Tensor forward(const Tensor& x) const { return fc2(gelu(fc1(x))); }
//     void members(nn::Visitor& v) override { v("fc1", fc1); v("fc2", fc2); }
//   };
//
// A module is copied, moved and assigned as its members are: a copy has parameters of its own, a
// move takes them, and an assignment, from a temporary too, writes the values into the parameters
// that are there, so optimizers stay valid. Hooks belong to the object: they are not copied.
//
// Calling one module from several threads is safe if its forward is (all of this library's are,
// except for the writing of buffers in training), and so is visiting it. Everything that changes it
// is not.
#pragma once

#include <adjoint/core/error.h>
#include <adjoint/core/slot.h>
#include <adjoint/core/tensor_parts.h>
#include <adjoint/nn/state_dict.h>
#include <adjoint/nn/visitor.h>

#include <atomic>
#include <concepts>
#include <functional>
#include <iosfwd>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

namespace adjoint::nn {

using adjoint::kLazy;

// May replace the tensors among the arguments of forward.
using ForwardPreHook = std::function<void(const ModuleBase& module, std::vector<Tensor>& inputs)>;
// May replace the tensors that forward returned (itself, or in a vector, pair, tuple).
using ForwardHook = std::function<void(const ModuleBase& module, const std::vector<Tensor>& inputs,
                                       std::vector<Tensor>& outputs)>;

// May replace the gradients of the outputs, one for each tensor that forward returned, before
// backward goes into the module. Undefined where nothing depends on an output.
using FullBackwardPreHook =
    std::function<void(const ModuleBase& module, std::vector<Tensor>& grad_outputs)>;
// May replace the gradients of the inputs, one for each tensor that forward took, when backward has
// gone through the module. Undefined for those that need none.
using FullBackwardHook =
    std::function<void(const ModuleBase& module, std::vector<Tensor>& grad_inputs,
                       const std::vector<Tensor>& grad_outputs)>;

struct NamedModule {
  std::string name;  // empty for the root
  ModuleBase* module;
};

// What visitors hold. Models derive from Module<Self>.
class ModuleBase {
 public:
  virtual ~ModuleBase();

  // Names every parameter, buffer and module that this one owns, and its ties.
  virtual void members(Visitor& v);
  // What printing shows in brackets: "in_features=4, out_features=2, bias=True".
  virtual std::string describe() const { return {}; }
  // The name of the dynamic type, without namespaces.
  virtual std::string type_name() const;
  // operator() for modules of one tensor; Error for others.
  virtual Tensor call(const Tensor& x) const = 0;
  // Error for types that cannot be copied.
  virtual std::unique_ptr<ModuleBase> clone() const = 0;
  // Assigns from a module of the same dynamic type; Error for another one.
  virtual void assign(const ModuleBase& other) = 0;

  // Every parameter, buffer, once (ties under the first name), in the order of the visit. Error
  // where the size of one is not known yet (nn/lazy.h).
  std::vector<NamedSlot> parameters() const;
  std::vector<NamedSlot> buffers() const;
  // Itself first, then all below it, parents before children.
  std::vector<NamedModule> named_modules();
  // Those that members() names itself: "fc1", "layers.0".
  std::vector<NamedModule> named_children();
  // By path, under any name where it is tied; Error where there is none. "" is the module itself.
  ModuleBase& get_submodule(std::string_view path);
  const ModuleBase& get_submodule(std::string_view path) const;
  SlotRef get_parameter(std::string_view path) const;
  SlotRef get_buffer(std::string_view path) const;

  StateDict state_dict() const;
  // Writes the values into the model, cast to its dtypes. What is wrong with the state is found
  // before anything is written. When strict, that throws Error naming everything that is wrong;
  // otherwise what fits is written, and the rest reported. Of tied names, one is enough.
  LoadReport load_state_dict(const std::map<std::string, Tensor>& state, bool strict = true);
  LoadReport load_state_dict(const StateDict& state, bool strict = true);

  // Dropout and the like differ between the two; a new module is in training mode.
  void train(bool training = true);
  void eval() { train(false); }
  bool is_training() const { return training_; }

  // Casts all parameters and buffers of floating dtypes, with their gradients.
  void to(DType dtype);
  void zero_grad() const;
  // Freezes, or thaws, all parameters.
  void requires_grad_(bool value = true) const;
  // The number of values in parameters, frozen ones included; tied ones count once.
  int64_t parameter_count() const;
  // Calls f for every module, children before parents.
  void apply(const std::function<void(ModuleBase&)>& f);

  // Called by operator(), in the order of registration. The handles remove them.
  HookHandle register_forward_pre_hook(ForwardPreHook hook);
  HookHandle register_forward_hook(ForwardHook hook);
  // Called by the backward of each call that begins while they are registered and records; not when
  // they, or the module, are gone by then. Inputs and outputs of such a call are views: operators
  // that write into them throw. If no input needs a gradient, a backward hook runs with those of
  // the outputs, and may not replace anything.
  HookHandle register_full_backward_pre_hook(FullBackwardPreHook hook);
  HookHandle register_full_backward_hook(FullBackwardHook hook);
  // Whether somebody sees calls: hooks of this module, or an observer. What computes a module's
  // result by a shorter way must call it then.
  bool hooked() const;

 protected:
  ModuleBase() = default;
  ModuleBase(const ModuleBase& other) : training_(other.tied().training_) {}
  ModuleBase(ModuleBase&& other) noexcept;
  ModuleBase& operator=(const ModuleBase& other) {
    if (this == &other) return *this;
    training_ = other.tied().training_;
    tied_.store(false, std::memory_order_relaxed);
    return *this;
  }
  ModuleBase& operator=(ModuleBase&&) = delete;  // see Module

  // What a call looks at first: the dynamic type (Error), and ties that were not made yet.
  void before_call(const std::type_info& self) const {
    if (typeid(*this) != self) [[unlikely]] {
      fail_type();
    }
    tied();
  }
  // A call that backward hooks are to see; none where there are none.
  struct BackwardCall;
  std::shared_ptr<BackwardCall> before_forward(std::vector<Tensor>& inputs) const;
  void after_forward(const std::vector<Tensor>& inputs, std::vector<Tensor>& outputs,
                     const std::shared_ptr<BackwardCall>& call) const;
  [[noreturn]] void fail_type() const;

 private:
  friend class Visitor;
  friend void visit(ModuleBase& root, Visitor& visitor);
  struct Hooks;

  // Itself, with its ties made. What is copied comes from here: members that are to be tied and
  // still have slots of their own may differ.
  const ModuleBase& tied() const {
    if (!tied_.load(std::memory_order_acquire)) [[unlikely]] {
      make_ties();
    }
    return *this;
  }
  void make_ties() const;
  std::shared_ptr<Hooks> make_hooks();

  std::shared_ptr<Hooks> hooks_;
  bool training_ = true;
  // Whether a visit has made the ties since this was built, copied or assigned. If not, the first
  // call does: gradients would go to slots that the next visit lets go.
  mutable std::atomic<bool> tied_ = false;
};

// The path of a module inside root ("" for root itself); nothing if it is not there.
std::optional<std::string> module_path(const ModuleBase& root, const ModuleBase& module);
// The path, inside the outermost running module, of the one whose forward this thread is in; the
// type's name for the outermost itself; "" outside of any.
std::string current_module_path();
// The innermost running module; nullptr outside of any.
const ModuleBase* current_module();

// The different slots that a visit reaches.
int64_t visited_slots(const ModuleBase& module);
// Throws Error if members() forgets a parameter or buffer, found by counting the slots of a copy.
// Modules that cannot be copied pass.
void check_members(const ModuleBase& module);

// As PyTorch prints modules, without `inplace`; runs of equal elements of a list are drawn
// together.
std::string to_string(const ModuleBase& module);
std::ostream& operator<<(std::ostream& out, const ModuleBase& module);

// Sees the calls of modules on this thread while it is installed. A call that throws has no exit.
class CallObserver {
 public:
  virtual ~CallObserver() = default;
  virtual void on_enter(const ModuleBase& module, std::span<const Tensor> inputs) = 0;
  virtual void on_exit(const ModuleBase& module, std::span<const Tensor> inputs,
                       std::span<const Tensor> outputs) = 0;
};
// Returns the one that was installed before; nullptr for none.
CallObserver* set_call_observer(CallObserver* observer);

namespace detail {

// The slots, all of which have values; Error naming the first that is lazy.
std::vector<NamedSlot> with_values(const char* what, const ModuleBase& module,
                                   std::vector<NamedSlot> slots);

// A running forward: one entry of the thread's stack of modules.
class CallScope {
 public:
  explicit CallScope(const ModuleBase& module) noexcept;
  ~CallScope();
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

  // Throws the exception being handled again, as its own type with the path in its message, if it
  // is one of the library's and has none yet.
  [[noreturn]] void rethrow() const;

  const ModuleBase& module;
  const CallScope* const outer;
};

template <class Self, class... Args>
inline constexpr bool kHasForward = requires(const Self& self, Args&&... args) {
  self.forward(std::forward<Args>(args)...);
};

template <class T>
inline constexpr bool kIsTensor = std::is_same_v<std::remove_cvref_t<T>, Tensor>;

// The argument, or, if it is a tensor, the next of those that stand for them.
template <class T>
std::conditional_t<kIsTensor<T>, const Tensor&, T&&> replaced(
    [[maybe_unused]] const std::vector<Tensor>& inputs, [[maybe_unused]] size_t& next,
    std::remove_reference_t<T>& argument) {
  if constexpr (kIsTensor<T>) {
    return inputs[next++];
  } else {
    return static_cast<T&&>(argument);
  }
}

}  // namespace detail

// The base of every module: gives Self, which has a const forward, its operator().
//
// Where Self names a type `ForwardOptions`, an aggregate that forward takes last after one to three
// tensors, calls may write it in braces: attn(q, k, v, {.is_causal = true}).
template <class Self>
class Module : public ModuleBase {
 public:
  Module() = default;
  Module(const Module&) = default;
  Module(Module&&) noexcept = default;
  Module& operator=(const Module&) = default;
  // Deleted, here too, since a deleted one that is implicit is passed over: a temporary is assigned
  // by copying. Moving a vector of blocks would take the place of the slots that optimizers hold,
  // where writing into them is what is meant.
  Module& operator=(Module&&) = delete;
  ~Module() override = default;

  // Runs the hooks and forward. What it throws names the module's path. Error if the object is of
  // a class derived from Self, whose forward would not be the one that runs.
  template <class... Args>
  auto operator()(Args&&... args) const {
    if constexpr (detail::kHasForward<Self, Args...>) {
      const detail::CallScope scope(*this);
      try {
        before_call(typeid(Self));
        if (hooked()) [[unlikely]] {
          return hooked_forward(std::forward<Args>(args)...);
        }
        return self().forward(std::forward<Args>(args)...);
      } catch (...) {
        scope.rethrow();
      }
    } else {
      static_assert(detail::kHasForward<Self, Args...>,
                    "a module's forward must be public and const and take these arguments");
    }
  }
  // Runs f, a way through this module's members other than forward: what it throws names the
  // module's path. Hooks of this module do not see it.
  template <class F>
  auto within(F&& f) const {
    const detail::CallScope scope(*this);
    try {
      before_call(typeid(Self));
      return f();
    } catch (...) {
      scope.rethrow();
    }
  }
  template <class S = Self>
  auto operator()(const Tensor& x, const typename S::ForwardOptions& options) const {
    return this->template operator()<const Tensor&, const typename S::ForwardOptions&>(x, options);
  }
  template <class S = Self>
  auto operator()(const Tensor& x, const Tensor& y,
                  const typename S::ForwardOptions& options) const {
    return this->template
    operator()<const Tensor&, const Tensor&, const typename S::ForwardOptions&>(x, y, options);
  }
  template <class S = Self>
  auto operator()(const Tensor& x, const Tensor& y, const Tensor& z,
                  const typename S::ForwardOptions& options) const {
    return this->template operator()<const Tensor&, const Tensor&, const Tensor&,
                                     const typename S::ForwardOptions&>(x, y, z, options);
  }

  Tensor call(const Tensor& x) const override {
    if constexpr (std::is_invocable_r_v<Tensor, Forward, const Self&, const Tensor&>) {
      return (*this)(x);
    } else {
      fail("call: ", type_name(),
           " does not map one tensor to one tensor; expected a module that "
           "does, such as Linear");
    }
  }

  std::unique_ptr<ModuleBase> clone() const override {
    static_assert(std::is_nothrow_move_constructible_v<Self>,
                  "a module moves without throwing, or a vector of them would copy its slots");
    if constexpr (std::is_copy_constructible_v<Self>) {
      if (typeid(*this) != typeid(Self)) fail_type();
      return std::make_unique<Self>(self());
    } else {
      fail("clone: ", type_name(), " cannot be copied; expected a module of copyable members");
    }
  }

  void assign(const ModuleBase& other) override {
    if (typeid(*this) != typeid(Self)) fail_type();
    check(typeid(other) == typeid(Self), "assign: a ", other.type_name(), " to a ", type_name(),
          "; expected modules of one type");
    if constexpr (std::is_copy_assignable_v<Self>) {
      static_cast<Self&>(*this) = static_cast<const Self&>(other);
    } else {
      fail("assign: ", type_name(), " cannot be copied; expected a module of copyable members");
    }
  }

 private:
  struct Forward {
    template <class S>
    auto operator()(const S& s, const Tensor& x) const -> decltype(s.forward(x)) {
      return s.forward(x);
    }
  };

  const Self& self() const { return static_cast<const Self&>(*this); }

  template <class... Args>
  auto hooked_forward(Args&&... args) const {
    std::vector<Tensor> inputs;
    const auto keep = [&inputs](const auto& argument) {
      if constexpr (detail::kIsTensor<decltype(argument)>) inputs.push_back(argument);
    };
    (keep(args), ...);
    const std::shared_ptr<BackwardCall> call = before_forward(inputs);
    size_t next = 0;
    // In braces, so that the arguments are evaluated from left to right.
    const std::tuple<std::conditional_t<detail::kIsTensor<Args>, const Tensor&, Args&&>...>
        arguments{detail::replaced<Args>(inputs, next, args)...};
    auto result = std::apply(
        [this](auto&&... argument) {
          return self().forward(static_cast<decltype(argument)>(argument)...);
        },
        arguments);
    std::vector<Tensor> outputs;
    auto collect = [&outputs](Tensor& x) { outputs.push_back(x); };
    adjoint::detail::each_tensor(collect, result);
    after_forward(inputs, outputs, call);
    next = 0;
    auto write_back = [&outputs, &next](Tensor& x) { x = std::move(outputs[next++]); };
    adjoint::detail::each_tensor(write_back, result);
    return result;
  }
};

// A module of any type, as a value: copying clones it, assigning a module of the same type writes
// into it. Calls go through ModuleBase::call.
class AnyModule {
 public:
  // Any module is one; AnyModule itself is none, so its own copies and moves are not hidden.
  // NOLINTBEGIN(google-explicit-constructor,bugprone-forwarding-reference-overload)
  template <class M>
  requires std::derived_from<std::remove_cvref_t<M>, ModuleBase> AnyModule(M&& module)
      : module_(std::make_unique<std::remove_cvref_t<M>>(std::forward<M>(module))) {}
  // NOLINTEND(google-explicit-constructor,bugprone-forwarding-reference-overload)
  explicit AnyModule(std::unique_ptr<ModuleBase> module);
  AnyModule(const AnyModule& other);
  AnyModule(AnyModule&&) noexcept = default;
  AnyModule& operator=(const AnyModule& other);

  Tensor operator()(const Tensor& x) const { return module_->call(x); }
  ModuleBase& get() { return *module_; }
  const ModuleBase& get() const { return *module_; }

 private:
  std::unique_ptr<ModuleBase> module_;
};

}  // namespace adjoint::nn
