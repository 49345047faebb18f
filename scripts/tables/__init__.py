"""The tables of the documents: a module for each page of docs/, in which every public function makes one table."""
