"""Positions in a YAML file."""

import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from yaml.nodes import MappingNode

from supplier_api.rules.yaml_source import YamlSource

TEXTS = st.text(alphabet="ab.&'\"({ éü\n", min_size=1, max_size=40)


@given(text=TEXTS, style=st.sampled_from([None, "'", '"', "|", ">"]), data=st.data())
def test_a_character_is_found_in_the_file_however_its_text_is_written(
    text: str, style: str | None, data: st.DataObject
) -> None:
    file = yaml.dump({"key": text}, default_style=style, allow_unicode=True, width=20)
    offset = data.draw(st.integers(0, len(text) - 1))
    assume(not text[offset].isspace())
    source = YamlSource("a.yaml", file)
    root = source.compose()
    assert isinstance(root, MappingNode)
    finding = source.finding(root.value[0][1], "here", offset=offset)
    assert file.split("\n")[finding.line - 1][finding.column - 1] == text[offset]
