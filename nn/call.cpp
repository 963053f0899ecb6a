// Calls of modules: hooks, the stack of running modules, and errors that name a path.
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

  template <class F>
  static HookHandle add(const std::shared_ptr<Hooks>& hooks, std::vector<Entry<F>> Hooks::*list,
                        F f) {
    const int64_t id = ++hooks->last_id;
    ((*hooks).*list).push_back({id, std::move(f)});
    return HookHandle([weak = std::weak_ptr<Hooks>(hooks), list, id] {
      if (const auto owner = weak.lock()) {
        std::erase_if((*owner).*list, [id](const Entry<F>& entry) { return entry.id == id; });
      }
    });
  }
};

HookHandle ModuleBase::register_forward_pre_hook(ForwardPreHook hook) {
  if (!hooks_) hooks_ = std::make_shared<Hooks>();
  return Hooks::add(hooks_, &Hooks::before, std::move(hook));
}

HookHandle ModuleBase::register_forward_hook(ForwardHook hook) {
  if (!hooks_) hooks_ = std::make_shared<Hooks>();
  return Hooks::add(hooks_, &Hooks::after, std::move(hook));
}

bool ModuleBase::hooked() const {
  return call_observer != nullptr ||
         (hooks_ != nullptr && !(hooks_->before.empty() && hooks_->after.empty()));
}

void ModuleBase::before_forward(std::vector<Tensor>& inputs) const {
  if (hooks_) {
    const size_t count = inputs.size();
    // A copy, since a hook may remove itself.
    for (const auto before = hooks_->before; const auto& hook : before) {
      hook.f(*this, inputs);
      check(inputs.size() == count, "forward pre-hook: left ", inputs.size(),
            " inputs; expected the ", count, " it was given, or others in their place");
    }
  }
  if (call_observer != nullptr) call_observer->on_enter(*this, inputs);
}

void ModuleBase::after_forward(const std::vector<Tensor>& inputs,
                               std::vector<Tensor>& outputs) const {
  if (hooks_) {
    const size_t count = outputs.size();
    for (const auto after = hooks_->after; const auto& hook : after) {
      hook.f(*this, inputs, outputs);
      check(outputs.size() == count, "forward hook: left ", outputs.size(),
            " outputs; expected the ", count, " it was given, or others in their place");
    }
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
