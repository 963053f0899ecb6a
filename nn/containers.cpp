#include <adjoint/core/error.h>
#include <adjoint/nn/containers.h>

#include <algorithm>
#include <iterator>
#include <sstream>

namespace adjoint::nn {
namespace {

void check_name(const char* type, const std::string& name) {
  check<ConfigError>(!name.empty() && name.find('.') == std::string::npos, type,
                     ": a member called '", name, "'; expected a name without dots");
}

size_t checked_index(const char* type, int64_t i, size_t end) {
  const auto last = static_cast<int64_t>(end);
  check<IndexError>(i >= -last && i < last, type, ": index ", i, "; expected one in [", -last, ", ",
                    last, ")");
  return static_cast<size_t>(i < 0 ? i + last : i);
}

[[noreturn]] void fail_name(const char* type, std::string_view name,
                            const std::vector<std::string>& names) {
  std::ostringstream known;
  for (const std::string& one : names) known << (one == names.front() ? "" : ", ") << one;
  fail<IndexError>(type, ": nothing called '", name, "'; expected one of: ", known.str());
}

}  // namespace

// --- ModuleEntries ---

std::string ModuleEntries::name_of(size_t i) const {
  return entries_[i].name.empty() ? std::to_string(i) : entries_[i].name;
}

std::vector<std::string> ModuleEntries::names() const {
  std::vector<std::string> all;
  for (size_t i = 0; i < size(); ++i) all.push_back(name_of(i));
  return all;
}

bool ModuleEntries::contains(std::string_view name) const {
  for (size_t i = 0; i < size(); ++i) {
    if (name_of(i) == name) return true;
  }
  return false;
}

size_t ModuleEntries::place(int64_t i, size_t end) const { return checked_index(type_, i, end); }

size_t ModuleEntries::place(std::string_view name) const {
  for (size_t i = 0; i < size(); ++i) {
    if (name_of(i) == name) return i;
  }
  fail_name(type_, name, names());
}

void ModuleEntries::insert_entry(size_t i, ModuleEntry entry) {
  if (!entry.name.empty()) {
    check_name(type_, entry.name);
    check<ConfigError>(!contains(entry.name), type_, ": two members called '", entry.name,
                       "'; expected a name for each");
  }
  // Anew, by moves: assigning to an element would write into it.
  std::vector<ModuleEntry> all;
  all.reserve(size() + 1);
  const auto middle = entries_.begin() + static_cast<std::ptrdiff_t>(i);
  std::move(entries_.begin(), middle, std::back_inserter(all));
  all.push_back(std::move(entry));
  std::move(middle, entries_.end(), std::back_inserter(all));
  entries_ = std::move(all);
}

AnyModule ModuleEntries::take_entry(size_t i) {
  AnyModule taken = std::move(entries_[i].module);
  std::vector<ModuleEntry> rest;
  rest.reserve(size());
  for (size_t j = 0; j < size(); ++j) {
    if (j != i) rest.push_back(std::move(entries_[j]));
  }
  entries_ = std::move(rest);
  return taken;
}

void ModuleEntries::visit_entries(Visitor& v) {
  for (size_t i = 0; i < size(); ++i) v(name_of(i), entries_[i].module);
}

// --- sequences ---

void ModuleSequence::append(std::string name, AnyModule module) {
  insert_entry(size(), {std::move(name), std::move(module)});
}

void ModuleSequence::insert(int64_t i, AnyModule module) {
  const bool at_end = i == static_cast<int64_t>(size());
  insert_entry(at_end ? size() : place(i, size()), {{}, std::move(module)});
}

void ModuleSequence::extend(const ModuleEntries& other) {
  std::vector<AnyModule> copies;  // first, since it may be this one
  for (const ModuleBase& module : other) copies.emplace_back(module.clone());
  for (AnyModule& module : copies) append(std::move(module));
}

ModuleList::ModuleList(std::vector<AnyModule> modules) : ModuleList() {
  for (AnyModule& module : modules) append(std::move(module));
}

// --- ModuleDict ---

ModuleDict::ModuleDict(std::vector<ModuleEntry> entries) : ModuleDict() {
  for (ModuleEntry& entry : entries) {
    check_name("ModuleDict", entry.name);
    insert_entry(size(), std::move(entry));
  }
}

void ModuleDict::insert(std::string name, AnyModule module) {
  check_name("ModuleDict", name);
  if (!contains(name)) {
    insert_entry(size(), {std::move(name), std::move(module)});
  } else {
    entries_[place(name)].module = module;
  }
}

void ModuleDict::update(const ModuleDict& other) {
  for (size_t i = 0; i < other.size(); ++i) insert(other.name_of(i), other.entries_[i].module);
}

// --- parameters ---

const Parameter& ParameterList::operator[](int64_t i) const {
  return parameters_[checked_index("ParameterList", i, size())];
}

ParameterDict::ParameterDict(std::vector<std::pair<std::string, Tensor>> values) {
  for (auto& [name, value] : values) insert(std::move(name), value);
}

std::vector<std::string> ParameterDict::names() const {
  std::vector<std::string> all;
  for (const auto& [name, parameter] : parameters_) all.push_back(name);
  return all;
}

bool ParameterDict::contains(std::string_view name) const {
  return std::ranges::any_of(parameters_, [&](const auto& p) { return p.first == name; });
}

const Parameter& ParameterDict::operator[](std::string_view name) const {
  for (const auto& [key, parameter] : parameters_) {
    if (key == name) return parameter;
  }
  fail_name("ParameterDict", name, names());
}

void ParameterDict::insert(std::string name, const Tensor& value) {
  check_name("ParameterDict", name);
  for (auto& [key, parameter] : parameters_) {
    if (key != name) continue;
    parameter = Parameter(value);
    return;
  }
  parameters_.emplace_back(std::move(name), Parameter(value));
}

void ParameterDict::members(Visitor& v) {
  for (auto& [name, parameter] : parameters_) v(name, parameter);
}

}  // namespace adjoint::nn
