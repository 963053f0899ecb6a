#include <adjoint/core/pointwise.h>
#include <adjoint/core/type_name.h>
#include <adjoint/nn/module.h>
#include <adjoint/nn/parametrize.h>

#include <mutex>
#include <unordered_set>
#include <utility>

namespace adjoint::nn {
namespace {

// Visitors only read a module unless they say otherwise, and ties are made in mutable members.
ModuleBase& writable(const ModuleBase& module) { return const_cast<ModuleBase&>(module); }

class CollectSlots : public Visitor {
 public:
  explicit CollectSlots(Slot::Kind kind) : kind_(kind) {}
  std::vector<NamedSlot> slots;

 protected:
  void on_slot(const std::string& path, SlotHandle& handle) override {
    if (handle.slot()->kind() != kind_ || !seen_.insert(handle.slot().get()).second) return;
    slots.push_back({path, handle.slot()});
  }

 private:
  Slot::Kind kind_;
  std::unordered_set<const Slot*> seen_;
};

class CollectModules : public Visitor {
 public:
  std::vector<NamedModule> modules;

 protected:
  bool enter(const std::string& path, ModuleBase& module) override {
    modules.push_back({path, &module});
    return true;
  }
};

class CollectChildren : public Visitor {
 public:
  std::vector<NamedModule> children;

 protected:
  bool enter(const std::string& path, ModuleBase& module) override {
    if (path.empty()) return true;
    children.push_back({path, &module});
    return false;
  }
};

// The slot of this kind under a path.
class FindSlot : public Visitor {
 public:
  FindSlot(std::string_view path, Slot::Kind kind) : path_(path), kind_(kind) {}
  SlotRef slot;

 protected:
  void on_slot(const std::string& path, SlotHandle& handle) override {
    if (path == path_ && handle.slot()->kind() == kind_) slot = handle.slot();
  }

 private:
  std::string_view path_;
  Slot::Kind kind_;
};

class ApplyToModules : public Visitor {
 public:
  explicit ApplyToModules(const std::function<void(ModuleBase&)>& f) : f_(f) {}

 protected:
  void leave(const std::string&, ModuleBase& module) override { f_(module); }

 private:
  const std::function<void(ModuleBase&)>& f_;
};

std::vector<NamedSlot> collect(const ModuleBase& module, Slot::Kind kind) {
  CollectSlots visitor(kind);
  visit(writable(module), visitor);
  return std::move(visitor.slots);
}

SlotRef find_slot(const char* op, const ModuleBase& module, std::string_view path,
                  Slot::Kind kind) {
  FindSlot visitor(path, kind);
  visit(writable(module), visitor);
  check(visitor.slot != nullptr, op, ": ", module.type_name(), " has none called '", path,
        "'; expected a name such as '", kind == Slot::Kind::parameter ? "fc1.weight" : "norm.mean",
        "'");
  return visitor.slot;
}

}  // namespace

std::vector<NamedSlot> detail::with_values(const char* what, const ModuleBase& module,
                                           std::vector<NamedSlot> slots) {
  for (const NamedSlot& entry : slots) {
    check(!entry.slot->is_lazy(), what, ": the size of \"", entry.name, "\" of ",
          module.type_name(),
          " is not known yet; expected a call of the model, or "
          "materialize(model, example), before its parameters are handed out, such as to an "
          "optimizer");
  }
  return slots;
}

// --- visitor ---

size_t Visitor::push(std::string_view name) {
  const size_t before = path_.size();
  if (!path_.empty() && !name.empty()) path_ += '.';
  path_ += name;
  return before;
}

void Visitor::slot(std::string_view name, SlotHandle& handle) {
  if (!handle.defined()) return;
  if (ParametrizationList* list = parametrization_of(*handle.slot())) {
    const size_t before = push("parametrizations");
    SlotHandle* const outer = std::exchange(parametrized_, &handle);
    (*this)(name, *list);
    parametrized_ = outer;
    path_.resize(before);
    return;
  }
  const size_t before = push(name);
  on_slot(path_, handle);
  path_.resize(before);
}

void Visitor::original(std::string_view name) {
  if (parametrized_ == nullptr) return;
  const size_t before = push(name);
  on_slot(path_, *parametrized_);
  path_.resize(before);
}

void Visitor::operator()(std::string_view name, ModuleBase& module) {
  const size_t before = push(name);
  if (enter(path_, module)) {
    module.members(*this);
    if (!module.tied_.load(std::memory_order_relaxed)) {
      module.tied_.store(true, std::memory_order_release);
    }
  }
  leave(path_, module);
  path_.resize(before);
}

void Visitor::operator()(std::string_view name, AnyModule& module) { (*this)(name, module.get()); }

void Visitor::tie(const Parameter& a, const Parameter& b) {
  if (a.defined() && a.slot() == b.slot()) return;
  const std::string where = path_.empty() ? "the model" : path_;
  check(a.defined() && b.defined(), "tie: an undefined parameter in ", where,
        "; expected two that have values");
  check<ShapeError>(a.shape() == b.shape(), "tie: shapes ", a.shape(), " and ", b.shape(), " in ",
                    where, "; expected the same shape");
  a.share(b);
}

void visit(ModuleBase& root, Visitor& visitor) {
  root.make_ties();
  visitor("", root);
}

// --- functions of every module ---

void ModuleBase::members(Visitor&) {}

void ModuleBase::make_ties() const {
  // Several threads may be the first to call or visit a module; a members() may visit others.
  static std::recursive_mutex mutex;
  const std::lock_guard lock(mutex);
  Visitor ties;
  ties("", writable(*this));
}

std::string ModuleBase::type_name() const { return adjoint::type_name(typeid(*this)); }

// Who is given a slot may keep what it found there, an optimizer its moments.
std::vector<NamedSlot> ModuleBase::parameters() const {
  return detail::with_values("parameters", *this, collect(*this, Slot::Kind::parameter));
}

std::vector<NamedSlot> ModuleBase::buffers() const {
  return detail::with_values("buffers", *this, collect(*this, Slot::Kind::buffer));
}

std::vector<NamedModule> ModuleBase::named_modules() {
  CollectModules visitor;
  visit(*this, visitor);
  return std::move(visitor.modules);
}

std::vector<NamedModule> ModuleBase::named_children() {
  CollectChildren visitor;
  visit(*this, visitor);
  return std::move(visitor.children);
}

ModuleBase& ModuleBase::get_submodule(std::string_view path) {
  for (const NamedModule& found : named_modules()) {
    if (found.name == path) return *found.module;
  }
  fail("get_submodule: ", type_name(), " has none called '", path,
       "'; expected a name such as 'encoder.layers.0'");
}

const ModuleBase& ModuleBase::get_submodule(std::string_view path) const {
  return writable(*this).get_submodule(path);
}

SlotRef ModuleBase::get_parameter(std::string_view path) const {
  return find_slot("get_parameter", *this, path, Slot::Kind::parameter);
}

SlotRef ModuleBase::get_buffer(std::string_view path) const {
  return find_slot("get_buffer", *this, path, Slot::Kind::buffer);
}

void ModuleBase::apply(const std::function<void(ModuleBase&)>& f) {
  ApplyToModules visitor(f);
  visit(*this, visitor);
}

void ModuleBase::train(bool training) {
  apply([training](ModuleBase& module) { module.training_ = training; });
}

void ModuleBase::to(DType dtype) {
  check<DTypeError>(is_floating_point(dtype), "to: dtype ", dtype, "; expected a floating dtype");
  for (const auto kind : {Slot::Kind::parameter, Slot::Kind::buffer}) {
    for (const NamedSlot& entry : collect(*this, kind)) entry.slot->cast(dtype);
  }
}

void ModuleBase::zero_grad() const {
  for (const NamedSlot& p : collect(*this, Slot::Kind::parameter)) p.slot->zero_grad();
}

void ModuleBase::requires_grad_(bool value) const {
  for (const NamedSlot& p : collect(*this, Slot::Kind::parameter)) p.slot->set_trainable(value);
}

int64_t ModuleBase::parameter_count() const {
  int64_t count = 0;
  for (const NamedSlot& p : parameters()) count += p.slot->numel();
  return count;
}

std::optional<std::string> module_path(const ModuleBase& root, const ModuleBase& module) {
  CollectModules visitor;
  visit(writable(root), visitor);
  for (const NamedModule& found : visitor.modules) {
    if (found.module == &module) return found.name;
  }
  return std::nullopt;
}

int64_t visited_slots(const ModuleBase& module) {
  return static_cast<int64_t>(collect(module, Slot::Kind::parameter).size() +
                              collect(module, Slot::Kind::buffer).size());
}

void check_members(const ModuleBase& module) {
  const SlotCensus census;
  std::unique_ptr<ModuleBase> copy;
  try {
    copy = module.clone();
  } catch (const Error&) {
    return;
  }
  const int64_t visited = visited_slots(*copy), alive = census.alive();
  check(visited == alive, "members: ", module.type_name(), " owns ", alive,
        " parameters and buffers, and members() names ", visited,
        "; expected every one; a member is missing there, or in a module below");
}

// --- AnyModule ---

AnyModule::AnyModule(std::unique_ptr<ModuleBase> module) : module_(std::move(module)) {
  check(module_ != nullptr, "AnyModule: no module; expected one");
}

AnyModule::AnyModule(const AnyModule& other)
    : module_(other.module_ ? other.module_->clone() : nullptr) {}

AnyModule& AnyModule::operator=(const AnyModule& other) {
  if (this == &other) return *this;
  if (module_ && other.module_) {
    const ModuleBase &mine = *module_, &theirs = *other.module_;
    if (typeid(mine) == typeid(theirs)) {
      module_->assign(theirs);
      return *this;
    }
  }
  module_ = other.module_ ? other.module_->clone() : nullptr;
  return *this;
}

}  // namespace adjoint::nn
