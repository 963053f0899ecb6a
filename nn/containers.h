// Modules and parameters in lists and by name.
//
// A std::vector<Block> or std::array<Linear, 2> is a member as it is, with the names of a list.
// These are for elements of different types, or whose names are known at run time.
#pragma once

#include <adjoint/core/type_name.h>
#include <adjoint/nn/module.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace adjoint::nn {

// The module as what it is; Error for one of another type.
template <class M>
const M& module_as(const ModuleBase& module) {
  const M* found = dynamic_cast<const M*>(&module);
  check(found != nullptr, "get: a ", module.type_name(), "; expected a ",
        adjoint::type_name(typeid(M)));
  return *found;
}

// A module in a container, under a name of its own or, without one, its place: "0", "1", ...
struct ModuleEntry {
  std::string name;
  AnyModule module;
};

// What containers of modules share: for (ModuleBase& child : list). The members are copies of what
// was given, and a copy of a container has copies of them. Throws ConfigError for a name that is
// empty, has a dot or is there already.
class ModuleEntries {
 public:
  template <class Module, class Entry>
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Module;
    using difference_type = std::ptrdiff_t;
    using pointer = Module*;
    using reference = Module&;
    explicit Iterator(Entry* entry) : entry_(entry) {}
    Module& operator*() const { return entry_->module.get(); }
    Module* operator->() const { return &entry_->module.get(); }
    Iterator& operator++() {
      ++entry_;
      return *this;
    }
    bool operator==(const Iterator& other) const { return entry_ == other.entry_; }

   private:
    Entry* entry_;
  };
  using iterator = Iterator<ModuleBase, ModuleEntry>;
  using const_iterator = Iterator<const ModuleBase, const ModuleEntry>;

  size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  iterator begin() { return iterator(entries_.data()); }
  iterator end() { return iterator(entries_.data() + entries_.size()); }
  const_iterator begin() const { return const_iterator(entries_.data()); }
  const_iterator end() const { return const_iterator(entries_.data() + entries_.size()); }
  std::vector<std::string> names() const;  // in order
  bool contains(std::string_view name) const;
  // IndexError for a name that is not there.
  ModuleBase& operator[](std::string_view name) { return entries_[place(name)].module.get(); }
  const ModuleBase& operator[](std::string_view name) const {
    return entries_[place(name)].module.get();
  }
  void clear() { entries_.clear(); }

 protected:
  explicit ModuleEntries(const char* type) : type_(type) {}
  ModuleEntries(const ModuleEntries&) = default;
  ModuleEntries(ModuleEntries&&) noexcept = default;
  ModuleEntries& operator=(const ModuleEntries&) = default;
  ~ModuleEntries() = default;

  void visit_entries(Visitor& v);
  // An index, of which negative ones count from the end, in [0, end); IndexError.
  size_t place(int64_t i, size_t end) const;
  size_t place(std::string_view name) const;
  void insert_entry(size_t i, ModuleEntry entry);
  AnyModule take_entry(size_t i);
  std::string name_of(size_t i) const;

  std::vector<ModuleEntry> entries_;

 private:
  const char* type_;
};

// Those whose order is what they are about.
class ModuleSequence : public ModuleEntries {
 public:
  using ModuleEntries::operator[];
  // Negative indices count from the end; IndexError outside.
  ModuleBase& operator[](int64_t i) { return entries_[place(i, size())].module.get(); }
  const ModuleBase& operator[](int64_t i) const { return entries_[place(i, size())].module.get(); }
  ModuleBase& operator[](int i) { return (*this)[int64_t{i}]; }
  const ModuleBase& operator[](int i) const { return (*this)[int64_t{i}]; }
  ModuleBase& operator[](size_t i) { return (*this)[static_cast<int64_t>(i)]; }
  const ModuleBase& operator[](size_t i) const { return (*this)[static_cast<int64_t>(i)]; }

  void append(AnyModule module) { insert_entry(size(), {{}, std::move(module)}); }
  void append(std::string name, AnyModule module);
  void push_back(AnyModule module) { append(std::move(module)); }
  // Before element i, or at the end for size(): those behind it move on by a place.
  void insert(int64_t i, AnyModule module);
  // Copies of all that another has, under their places here.
  void extend(const ModuleEntries& other);
  // Takes one out.
  AnyModule pop(int64_t i = -1) { return take_entry(place(i, size())); }

 protected:
  using ModuleEntries::ModuleEntries;
};

// Modules in a list, of any types: names "0", "1", ... It has no forward of its own; get<Linear>(0)
// is an element as what it is.
class ModuleList : public Module<ModuleList>, public ModuleSequence {
 public:
  ModuleList() : ModuleSequence("ModuleList") {}
  explicit ModuleList(std::vector<AnyModule> modules);
  template <class First, class... Rest>
  requires(
      std::derived_from<std::remove_cvref_t<First>, ModuleBase> &&
      (sizeof...(Rest) > 0 ||
       !std::same_as<std::remove_cvref_t<First>, ModuleList>)) explicit ModuleList(First&& first,
                                                                                   Rest&&... rest)
      : ModuleList() {
    append(std::forward<First>(first));
    (append(std::forward<Rest>(rest)), ...);
  }

  // Error where the element is of another type.
  template <class M>
  const M& get(int64_t i) const {
    return module_as<M>((*this)[i]);
  }
  template <class M>
  M& get(int64_t i) {
    return const_cast<M&>(std::as_const(*this).template get<M>(i));
  }
  void members(Visitor& v) override { visit_entries(v); }
};

// Modules by name, in the order in which they were put in.
class ModuleDict : public Module<ModuleDict>, public ModuleEntries {
 public:
  ModuleDict() : ModuleEntries("ModuleDict") {}
  explicit ModuleDict(std::vector<ModuleEntry> entries);

  // Takes the place of one of that name, or comes last.
  void insert(std::string name, AnyModule module);
  void update(const ModuleDict& other);
  AnyModule pop(std::string_view name) { return take_entry(place(name)); }
  // Error where the element is of another type.
  template <class M>
  const M& get(std::string_view name) const {
    return module_as<M>((*this)[name]);
  }
  template <class M>
  M& get(std::string_view name) {
    return const_cast<M&>(std::as_const(*this).template get<M>(name));
  }
  void members(Visitor& v) override { visit_entries(v); }
};

// Parameters in a list: names "0", "1", ...
class ParameterList : public Module<ParameterList> {
 public:
  ParameterList() = default;
  explicit ParameterList(std::vector<Parameter> parameters) : parameters_(std::move(parameters)) {}

  size_t size() const { return parameters_.size(); }
  auto begin() const { return parameters_.begin(); }
  auto end() const { return parameters_.end(); }
  // IndexError outside of [-size, size).
  const Parameter& operator[](int64_t i) const;
  void append(Parameter parameter) { parameters_.push_back(std::move(parameter)); }
  void append(const Tensor& value) { append(Parameter(value)); }
  void members(Visitor& v) override { v("", parameters_); }

 private:
  std::vector<Parameter> parameters_;
};

// Parameters by name, in the order in which they were put in.
class ParameterDict : public Module<ParameterDict> {
 public:
  ParameterDict() = default;
  explicit ParameterDict(std::vector<std::pair<std::string, Tensor>> values);

  size_t size() const { return parameters_.size(); }
  bool contains(std::string_view name) const;
  std::vector<std::string> names() const;
  // IndexError for a name that is not there.
  const Parameter& operator[](std::string_view name) const;
  // Writes into the one of that name, or comes last. ConfigError for an empty name or one with
  // dots.
  void insert(std::string name, const Tensor& value);
  void members(Visitor& v) override;

 private:
  std::vector<std::pair<std::string, Parameter>> parameters_;
};

}  // namespace adjoint::nn
