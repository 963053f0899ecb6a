// Calls of modules: hooks, the stack of running modules, and errors that name a path.
#include <adjoint/core/anomaly.h>
#include <adjoint/core/autograd.h>
#include <adjoint/core/function.h>
#include <adjoint/nn/module.h>

#include <algorithm>
#include <new>

namespace adjoint::nn {
namespace {

constinit thread_local const detail::CallScope* innermost = nullptr;
constinit thread_local CallObserver* call_observer = nullptr;

const ModuleBase& outermost_module() {
  const detail::CallScope* scope = innermost;
  while (scope->outer != nullptr) scope = scope->outer;
  return scope->module;
}

bool any_requires_grad(const std::vector<Tensor>& tensors) {
  return std::any_of(tensors.begin(), tensors.end(),
                     [](const Tensor& x) { return x.defined() && x.requires_grad(); });
}

// Messages of core name the path, too.
[[maybe_unused]] const bool path_is_known = [] {
  adjoint::detail::set_module_path_function(&current_module_path);
  return true;
}();

// An E whose message already names a path: a type of its own, so that modules further out leave it.
template <class E>
struct WithPath final : E {
  using E::E;
};

// Throws an error of exactly the type E as one with a path.
template <class E>
void throw_if(const Error& error) {
  if (typeid(error) != typeid(E)) return;
  throw WithPath<E>(std::string(error.what()) + " (in module " + current_module_path() + ")");
}

}  // namespace

const ModuleBase* current_module() { return innermost == nullptr ? nullptr : &innermost->module; }

std::string current_module_path() {
  if (innermost == nullptr) return {};
  const ModuleBase& root = outermost_module();
  // Modules that are no members, such as one made inside a forward, go by their types.
  std::string below;
  for (const detail::CallScope* scope = innermost; scope != nullptr; scope = scope->outer) {
    if (const auto path = module_path(root, scope->module)) {
      const std::string found = path->empty() ? root.type_name() : *path;
      return below.empty() ? found : found + below;
    }
    below = "." + scope->module.type_name() + below;
  }
  return below;
}

CallObserver* set_call_observer(CallObserver* observer) {
  return std::exchange(call_observer, observer);
}

namespace detail {

CallScope::CallScope(const ModuleBase& called) noexcept : module(called), outer(innermost) {
  innermost = this;
}

CallScope::~CallScope() { innermost = outer; }

void CallScope::rethrow() const {
  try {
    throw;
  } catch (const Error& e) {
    throw_if<ShapeError>(e);
    throw_if<DTypeError>(e);
    throw_if<IndexError>(e);
    throw_if<AutogradError>(e);
    throw_if<IoError>(e);
    throw_if<ConfigError>(e);
    throw_if<Error>(e);
    throw;  // it has a path already, or is of a class of the user's own, which is kept
  }
}

}  // namespace detail

// --- hooks ---

struct ModuleBase::Hooks {
  template <class F>
  struct Entry {
    int64_t id;
    F f;
  };
  int64_t last_id = 0;
  std::vector<Entry<ForwardPreHook>> before;
  std::vector<Entry<ForwardHook>> after;
  std::vector<Entry<FullBackwardPreHook>> before_backward;
  std::vector<Entry<FullBackwardHook>> after_backward;
  // Whose they are: it may move, or die, before the backward of a call. nullptr then.
  const ModuleBase* owner = nullptr;

  bool empty() const { return before.empty() && after.empty() && !see_backward(); }
  bool see_backward() const { return !before_backward.empty() || !after_backward.empty(); }

  template <class F>
  static HookHandle add(const std::shared_ptr<Hooks>& hooks, std::vector<Entry<F>> Hooks::*list,
                        F f) {
    const int64_t id = ++hooks->last_id;
    ((*hooks).*list).push_back({id, std::move(f)});
    return HookHandle([weak = std::weak_ptr<Hooks>(hooks), list, id] {
      if (const auto all = weak.lock()) {
        std::erase_if((*all).*list, [id](const Entry<F>& entry) { return entry.id == id; });
      }
    });
  }
};

ModuleBase::ModuleBase(ModuleBase&& other) noexcept
    : hooks_(std::move(other.hooks_)),
      training_(other.training_),
      tied_(other.tied_.load(std::memory_order_relaxed)) {
  if (hooks_) hooks_->owner = this;
}

ModuleBase::~ModuleBase() {
  if (hooks_) hooks_->owner = nullptr;
}

std::shared_ptr<ModuleBase::Hooks> ModuleBase::make_hooks() {
  if (!hooks_) hooks_ = std::make_shared<Hooks>();
  hooks_->owner = this;
  return hooks_;
}

HookHandle ModuleBase::register_forward_pre_hook(ForwardPreHook hook) {
  return Hooks::add(make_hooks(), &Hooks::before, std::move(hook));
}

HookHandle ModuleBase::register_forward_hook(ForwardHook hook) {
  return Hooks::add(make_hooks(), &Hooks::after, std::move(hook));
}

HookHandle ModuleBase::register_full_backward_pre_hook(FullBackwardPreHook hook) {
  return Hooks::add(make_hooks(), &Hooks::before_backward, std::move(hook));
}

HookHandle ModuleBase::register_full_backward_hook(FullBackwardHook hook) {
  return Hooks::add(make_hooks(), &Hooks::after_backward, std::move(hook));
}

bool ModuleBase::hooked() const {
  return call_observer != nullptr || (hooks_ != nullptr && !hooks_->empty());
}

// Note [Backward hooks]
// Inputs and outputs of a call with backward hooks go through an identity each, whose backward sees
// all their gradients at once: that of the outputs runs before anything in the module, that of the
// inputs after.
struct ModuleBase::BackwardCall {
  std::shared_ptr<Hooks> hooks;
  int64_t last_id;  // hooks that were registered later do not see this call
  size_t input_count;
  bool inputs_seen;  // whether inputs go through an identity
  std::vector<Tensor> grad_outputs = {};

  template <class F, class... Args>
  void run(const std::vector<Hooks::Entry<F>>& list, Args&... args) const {
    // A copy, since a hook may remove itself.
    const std::vector<Hooks::Entry<F>> all(list.begin(), list.end());
    for (const auto& hook : all) {
      if (hook.id <= last_id && hooks->owner != nullptr) hook.f(*hooks->owner, args...);
    }
  }

  std::vector<Tensor> on_outputs(std::vector<Tensor> gradients) {
    const size_t count = gradients.size();
    run(hooks->before_backward, gradients);
    check(gradients.size() == count, "backward pre-hook: left ", gradients.size(),
          " gradients; expected the ", count, " it was given, or others in their place");
    grad_outputs = gradients;
    if (!inputs_seen) {
      for (const Tensor& x : on_inputs(std::vector<Tensor>(input_count))) {
        check<AutogradError>(!x.defined(),
                             "backward hook: gave a gradient of an input, where no input requires "
                             "one; expected it to replace none");
      }
    }
    return gradients;
  }

  std::vector<Tensor> on_inputs(std::vector<Tensor> gradients) {
    const size_t count = gradients.size();
    // None where the gradient came round the outputs: an input that forward returned elsewhere.
    const std::vector<Tensor> of_outputs = std::exchange(grad_outputs, {});
    if (of_outputs.empty()) return gradients;
    run(hooks->after_backward, gradients, of_outputs);
    check(gradients.size() == count, "backward hook: left ", gradients.size(),
          " gradients; expected the ", count, " it was given, or others in their place");
    return gradients;
  }

  // The identities.
  struct ModuleInputs : Function<ModuleInputs, std::shared_ptr<BackwardCall>> {
    static std::vector<Tensor> forward(Context& context, const std::vector<Tensor>& tensors,
                                       const std::shared_ptr<BackwardCall>& call) {
      pass(context, tensors, call);
      return tensors;
    }
    static std::vector<Tensor> backward(Context& context, const std::vector<Tensor>& dy) {
      return context.state->on_inputs(dy);
    }
  };
  struct ModuleOutputs : Function<ModuleOutputs, std::shared_ptr<BackwardCall>> {
    static std::vector<Tensor> forward(Context& context, const std::vector<Tensor>& tensors,
                                       const std::shared_ptr<BackwardCall>& call) {
      pass(context, tensors, call);
      return tensors;
    }
    static std::vector<Tensor> backward(Context& context, const std::vector<Tensor>& dy) {
      return context.state->on_outputs(dy);
    }
  };
  static void pass(auto& context, const std::vector<Tensor>& tensors,
                   const std::shared_ptr<BackwardCall>& call) {
    context.state = call;
    context.set_materialize_grads(false);
    for (size_t i = 0; i < tensors.size(); ++i) {
      if (tensors[i].defined() && !context.needs_input_grad(i)) {
        context.mark_non_differentiable(tensors[i]);
      }
    }
  }
};

std::shared_ptr<ModuleBase::BackwardCall> ModuleBase::before_forward(
    std::vector<Tensor>& inputs) const {
  std::shared_ptr<BackwardCall> call;
  if (hooks_) {
    const size_t count = inputs.size();
    // A copy, since a hook may remove itself.
    for (const auto before = hooks_->before; const auto& hook : before) {
      hook.f(*this, inputs);
      check(inputs.size() == count, "forward pre-hook: left ", inputs.size(),
            " inputs; expected the ", count, " it was given, or others in their place");
    }
  }
  if (hooks_ && hooks_->see_backward() && grad_enabled()) {
    const bool seen = any_requires_grad(inputs);
    call =
        std::make_shared<BackwardCall>(BackwardCall{hooks_, hooks_->last_id, inputs.size(), seen});
    if (seen) inputs = BackwardCall::ModuleInputs::apply(inputs, call);
  }
  if (call_observer != nullptr) call_observer->on_enter(*this, inputs);
  return call;
}

void ModuleBase::after_forward(const std::vector<Tensor>& inputs, std::vector<Tensor>& outputs,
                               const std::shared_ptr<BackwardCall>& call) const {
  if (hooks_) {
    const size_t count = outputs.size();
    for (const auto after = hooks_->after; const auto& hook : after) {
      hook.f(*this, inputs, outputs);
      check(outputs.size() == count, "forward hook: left ", outputs.size(),
            " outputs; expected the ", count, " it was given, or others in their place");
    }
  }
  if (call != nullptr && grad_enabled() && any_requires_grad(outputs)) {
    outputs = BackwardCall::ModuleOutputs::apply(outputs, call);
  }
  if (call_observer != nullptr) call_observer->on_exit(*this, inputs, outputs);
}

void ModuleBase::fail_type() const {
  fail("call: a ", type_name(),
       " derives from a module of another type, whose forward would run; "
       "expected ",
       type_name(), " to derive from nn::Module<", type_name(), "> itself");
}

}  // namespace adjoint::nn
