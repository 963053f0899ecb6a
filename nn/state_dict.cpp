#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <adjoint/nn/module.h>

#include <sstream>
#include <unordered_map>
#include <unordered_set>

namespace adjoint::nn {
namespace {

// Every name of every persistent slot; the first of a slot stands before its aliases.
class CollectState : public Visitor {
 public:
  std::vector<NamedSlot> names;

 protected:
  void on_slot(const std::string& path, SlotHandle& handle) override {
    if (handle.slot()->persistent()) names.push_back({path, handle.slot()});
  }
};

std::vector<NamedSlot> all_names(const ModuleBase& module) {
  CollectState visitor;
  visit(const_cast<ModuleBase&>(module), visitor);
  std::unordered_set<std::string> seen;
  for (const NamedSlot& entry : visitor.names) {
    check(seen.insert(entry.name).second, "members: ", module.type_name(), " names two members \"",
          entry.name, "\"; expected a name for each");
  }
  return std::move(visitor.names);
}

// NaN is the same as NaN.
bool same_values(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  return all(where(eq(a, b), true, where(ne(a, a), ne(b, b), false)));
}

// Why the tensor cannot be written to the slot; empty if it can.
std::string mismatch(const std::string& name, const Slot& slot, const Tensor& x) {
  std::ostringstream why;
  if (!slot.takes(x.shape())) {
    why << name << ": shape " << x.shape() << "; expected " << slot.shape_text();
  } else if (is_floating_point(x.dtype()) != is_floating_point(slot.dtype())) {
    why << name << ": dtype " << x.dtype() << "; expected " << slot.dtype();
  }
  return why.str();
}

void list(std::ostringstream& out, const char* title, const std::vector<std::string>& names) {
  if (names.empty()) return;
  if (out.tellp() > 0) out << "; ";
  out << title << ": ";
  for (size_t i = 0; i < names.size(); ++i) out << (i > 0 ? ", " : "") << names[i];
}

}  // namespace

Tensor StateDict::find(const std::string& name) const {
  const auto alias = aliases.find(name);
  const std::string& wanted = alias == aliases.end() ? name : alias->second;
  for (const auto& [key, value] : tensors) {
    if (key == wanted) return value;
  }
  return {};
}

std::map<std::string, Tensor> StateDict::to_map() const { return {tensors.begin(), tensors.end()}; }

std::map<std::string, Tensor> rename_keys(
    const std::map<std::string, Tensor>& state,
    const std::function<std::string(const std::string& name)>& name) {
  std::map<std::string, Tensor> renamed;
  for (const auto& [key, value] : state) {
    const std::string to = name(key);
    if (to.empty()) continue;
    check(renamed.emplace(to, value).second, "rename_keys: '", key, "' becomes '", to,
          "', as another did; expected a name for each");
  }
  return renamed;
}

std::map<std::string, Tensor> below_prefix(const std::map<std::string, Tensor>& state,
                                           const std::string& prefix) {
  return rename_keys(state, [&prefix](const std::string& name) {
    return name.starts_with(prefix) ? name.substr(prefix.size()) : std::string();
  });
}

std::string LoadReport::message() const {
  std::ostringstream out;
  list(out, "missing", missing);
  list(out, "unexpected", unexpected);
  list(out, "mismatched", mismatched);
  return out.str();
}

StateDict ModuleBase::state_dict() const {
  StateDict state;
  std::unordered_map<const Slot*, std::string> first;
  for (const NamedSlot& entry : detail::with_values("state_dict", *this, all_names(*this))) {
    const auto [known, is_new] = first.emplace(entry.slot.get(), entry.name);
    if (is_new) {
      state.tensors.emplace_back(entry.name, entry.slot->stored().detach());
    } else {
      state.aliases.emplace(entry.name, known->second);
    }
  }
  return state;
}

LoadReport ModuleBase::load_state_dict(const std::map<std::string, Tensor>& state, bool strict) {
  struct Target {
    NamedSlot slot;  // under its first name
    std::string source_name;
    Tensor source;
  };
  const std::vector<NamedSlot> names = all_names(*this);
  std::vector<Target> targets;
  std::unordered_map<const Slot*, size_t> index;
  std::map<std::string, const Slot*> known;
  LoadReport report;
  for (const NamedSlot& entry : names) {
    known.emplace(entry.name, entry.slot.get());
    const auto [place, is_new] = index.emplace(entry.slot.get(), targets.size());
    if (is_new) targets.push_back({entry, {}, {}});
    const auto found = state.find(entry.name);
    if (found == state.end() || !found->second.defined()) continue;
    Target& target = targets[place->second];
    if (!target.source.defined()) {
      target.source_name = entry.name;
      target.source = found->second;
    } else if (!same_values(target.source, found->second)) {
      report.mismatched.push_back(entry.name + ": differs from " + target.source_name +
                                  "; expected the same values, for the model ties them");
    }
  }
  for (Target& target : targets) {
    if (!target.source.defined()) {
      report.missing.push_back(target.slot.name);
      continue;
    }
    std::string why = mismatch(target.source_name, *target.slot.slot, target.source);
    if (why.empty()) continue;
    report.mismatched.push_back(std::move(why));
    target.source = {};
  }
  for (const auto& [name, value] : state) {
    if (!known.contains(name)) report.unexpected.push_back(name);
  }
  check(!strict || report.ok(), "load_state_dict: the state does not fit ", type_name(), ": ",
        report.message(), "; nothing was loaded");
  for (const Target& target : targets) {
    if (!target.source.defined()) continue;
    Slot& slot = *target.slot.slot;
    if (slot.is_lazy()) {
      slot.materialize(target.source);
    } else {
      slot.write(target.source);
    }
  }
  return report;
}

LoadReport ModuleBase::load_state_dict(const StateDict& state, bool strict) {
  return load_state_dict(state.to_map(), strict);
}

}  // namespace adjoint::nn
