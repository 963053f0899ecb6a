// What a module tells about its members: the one walk that everything else is written on.
#pragma once

#include <adjoint/core/slot.h>

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace adjoint::nn {

class ModuleBase;
class AnyModule;
class ParametrizationList;

// Walks the members of a module, depth first, in the order in which members() names them. Names are
// joined by dots and elements of a vector are named by their index: "h.0.attn.c_attn.weight".
// Undefined parameters, empty optionals and null pointers are skipped. In the place of a parameter
// that is parametrized stands the module that computes it, "parametrizations.weight", with what is
// trained (nn/parametrize.h).
//
// Walks start with visit(). A class derived from this one overrides what it wants to see.
class Visitor {
 public:
  Visitor() = default;
  Visitor(const Visitor&) = delete;
  Visitor& operator=(const Visitor&) = delete;
  virtual ~Visitor() = default;

  // --- for members() ---
  void operator()(std::string_view name, Parameter& parameter) { slot(name, parameter); }
  void operator()(std::string_view name, Buffer& buffer) { slot(name, buffer); }
  void operator()(std::string_view name, ModuleBase& module);
  void operator()(std::string_view name, AnyModule& module);
  // A plain tensor is neither trained nor saved: wrap it in a Parameter or a Buffer.
  void operator()(std::string_view name, Tensor& tensor) = delete;
  template <class T>
  void operator()(std::string_view name, std::optional<T>& member) {
    if (member) (*this)(name, *member);
  }
  template <class T>
  void operator()(std::string_view name, std::unique_ptr<T>& member) {
    if (member) (*this)(name, *member);
  }
  template <class T>
  void operator()(std::string_view name, std::vector<T>& list) {
    elements(name, list);
  }
  template <class T, size_t N>
  void operator()(std::string_view name, std::array<T, N>& list) {
    elements(name, list);
  }

  // From now on a is b: a lets its slot go and shares b's. The name that is visited first is the
  // one of the slot; the others are its aliases. Throws Error if one is undefined, ShapeError if
  // the shapes differ.
  void tie(const Parameter& a, const Parameter& b);

 protected:
  friend void visit(ModuleBase& root, Visitor& visitor);
  friend class ParametrizationList;

  // A parameter or buffer, with its full path.
  virtual void on_slot(const std::string& /*path*/, SlotHandle& /*handle*/) {}
  // Around a module's members. The root's path is empty. Its members are skipped if enter says so.
  virtual bool enter(const std::string& /*path*/, ModuleBase& /*module*/) { return true; }
  virtual void leave(const std::string& /*path*/, ModuleBase& /*module*/) {}
  // Around the elements of a vector or array; name is its own, not the path, and may be empty.
  virtual void enter_list(std::string_view /*name*/, size_t /*size*/) {}
  virtual void leave_list() {}

 private:
  void slot(std::string_view name, SlotHandle& handle);
  // The slot whose parametrization is visited, under the name that it has there.
  void original(std::string_view name);
  size_t push(std::string_view name);
  template <class List>
  void elements(std::string_view name, List& list) {
    const size_t before = push(name);
    enter_list(name, list.size());
    for (size_t i = 0; i < list.size(); ++i) (*this)(std::to_string(i), list[i]);
    leave_list();
    path_.resize(before);
  }

  std::string path_;
  SlotHandle* parametrized_ = nullptr;
};

// Walks root and all below it. Ties are made in a walk of their own before, so that the visitor
// sees them wherever members() says them.
void visit(ModuleBase& root, Visitor& visitor);

}  // namespace adjoint::nn
