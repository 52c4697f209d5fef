"""Control: registers, command decoder, tokens between the stages, faults."""
