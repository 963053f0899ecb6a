#include <adjoint/optim/groups.h>

#include <algorithm>
#include <cctype>
#include <string_view>

namespace adjoint::optim {
namespace {

// "ln_1", "bn2" and "norm" are names of layers, "lnx" is not.
bool is_name_of(std::string_view part, std::string_view name) {
  if (!part.starts_with(name)) return false;
  part.remove_prefix(name.size());
  return std::all_of(part.begin(), part.end(),
                     [](unsigned char c) { return c == '_' || std::isdigit(c) != 0; }) ||
         part == "_f";
}

bool is_norm_or_embedding(std::string_view part) {
  if (part.find("norm") != part.npos || part.find("embed") != part.npos) return true;
  for (const char* name : {"ln", "bn", "gn", "wte", "wpe"}) {
    if (is_name_of(part, name)) return true;
  }
  return false;
}

}  // namespace

bool has_two_dimensions(const NamedSlot& slot) { return slot.slot->stored().dim() >= 2; }

bool is_plain_weight(const NamedSlot& slot) {
  if (!has_two_dimensions(slot)) return false;
  std::string_view path = slot.name;
  while (true) {
    const size_t dot = path.find('.');
    std::string part(path.substr(0, dot));
    std::transform(part.begin(), part.end(), part.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (is_norm_or_embedding(part)) return false;
    if (dot == path.npos) return part.find("bias") == part.npos;
    path.remove_prefix(dot + 1);
  }
}

std::pair<std::vector<NamedSlot>, std::vector<NamedSlot>> split_for_decay(
    const std::vector<NamedSlot>& slots, const DecayRule& decays) {
  std::pair<std::vector<NamedSlot>, std::vector<NamedSlot>> result;
  for (const NamedSlot& s : slots) (decays(s) ? result.first : result.second).push_back(s);
  return result;
}

std::pair<std::vector<NamedSlot>, std::vector<NamedSlot>> split_by_dimension(
    const std::vector<NamedSlot>& slots) {
  return split_for_decay(slots, has_two_dimensions);
}

}  // namespace adjoint::optim
