#include <adjoint/nn/containers.h>

#include <ostream>
#include <sstream>

namespace adjoint::nn {
namespace {

struct Printed {
  std::string name;
  std::string text;
};

std::string indented(const std::string& text) {
  std::string out;
  for (const char c : text) {
    out += c;
    if (c == '\n') out += "  ";
  }
  return out;
}

// What describes it in the brackets, on a line of its own where there are children.
std::string braced(const std::string& type, const std::string& described,
                   const std::vector<Printed>& children) {
  if (children.empty()) return type + "(" + described + ")";
  std::string out = type + "(";
  if (!described.empty()) out += "\n  " + indented(described);
  for (const Printed& child : children) out += "\n  (" + child.name + "): " + indented(child.text);
  return out + "\n)";
}

// Equal neighbours as one, "(0-11): 12 x Block(...)".
std::vector<Printed> runs(const std::vector<Printed>& children) {
  std::vector<Printed> out;
  for (size_t i = 0; i < children.size();) {
    size_t end = i + 1;
    while (end < children.size() && children[end].text == children[i].text) ++end;
    if (end - i == 1) {
      out.push_back(children[i]);
    } else {
      out.push_back({children[i].name + "-" + children[end - 1].name,
                     std::to_string(end - i) + " x " + children[i].text});
    }
    i = end;
  }
  return out;
}

class Printer : public Visitor {
 public:
  std::string result;

 protected:
  bool enter(const std::string& path, ModuleBase&) override {
    open_.push_back({path.substr(path.rfind('.') + 1), {}});
    return true;
  }
  void leave(const std::string&, ModuleBase& module) override {
    const Open done = std::move(open_.back());
    open_.pop_back();
    const bool list = dynamic_cast<const ModuleList*>(&module) != nullptr;
    std::string text =
        braced(module.type_name(), module.describe(), list ? runs(done.children) : done.children);
    if (open_.empty()) {
      result = std::move(text);
    } else {
      open_.back().children.push_back({done.name, std::move(text)});
    }
  }
  void enter_list(std::string_view name, size_t) override {
    open_.push_back({std::string(name), {}});
  }
  void leave_list() override {
    const Open done = std::move(open_.back());
    open_.pop_back();
    std::vector<Printed>& siblings = open_.back().children;
    if (done.children.empty()) return;  // of parameters, or of nothing
    if (done.name.empty()) {
      // The list stands for its module, as in Sequential.
      siblings.insert(siblings.end(), done.children.begin(), done.children.end());
    } else {
      siblings.push_back({done.name, braced("ModuleList", "", runs(done.children))});
    }
  }

 private:
  struct Open {
    std::string name;
    std::vector<Printed> children;
  };

  std::vector<Open> open_;
};

}  // namespace

std::string to_string(const ModuleBase& module) {
  Printer printer;
  visit(const_cast<ModuleBase&>(module), printer);
  return std::move(printer.result);
}

std::ostream& operator<<(std::ostream& out, const ModuleBase& module) {
  return out << to_string(module);
}

}  // namespace adjoint::nn
